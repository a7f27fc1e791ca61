// What admins did.

import { call } from "./api.js";
import { badge, fill, h, link, moment, table, words } from "./dom.js";

export function log(query, { signal }) {
  const body = h("div", {}, "…");
  const more = h("button", { type: "button", hidden: true }, "Show older ones");
  let items = [];
  let cursor = null;

  async function page() {
    const answer = await call("GET", "admin/actions", { query: { cursor }, signal });
    items.push(...answer.items);
    cursor = answer.next_cursor;
    more.hidden = !cursor;
    fill(
      body,
      items.length
        ? table("The newest first", ["When", "Who", "Role", "Did", "To", "Came of it", "Reason"], items.map((act) => [
            moment(act.at),
            act.who,
            act.role,
            words(act.action),
            act.target.startsWith("chk_") ? link(`#/checkouts/${act.target}`, act.target) : act.target,
            badge(act.outcome ?? "not known"),
            act.reason,
          ]))
        : h("p", {}, "Nothing yet."),
    );
  }

  async function load() {
    items = [];
    cursor = null;
    await page();
  }

  more.addEventListener("click", page);
  return { title: "What admins did", view: h("section", {}, h("h1", { tabindex: -1 }, "What admins did"), body, more), load, changed: () => null };
}
