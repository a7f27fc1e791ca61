// Webhooks: where events are sent, what was sent, and sending it again.

import { call } from "./api.js";
import { ask, tell } from "./dialogs.js";
import { badge, facts, fill, h, link, moment, table } from "./dom.js";

export const EVENTS = ["checkout.started", "order.placed", "checkout.completed", "checkout.failed"];
/** Milliseconds between two looks at a delivery that is not ended. */
const LOOK = 3000;
const URL_FIELD = { name: "url", label: "Address", hint: "https, and no private address.", type: "url" };
const DESCRIPTION = { name: "description", label: "What it is", optional: true };

/** All endpoints, and the newest deliveries. */
export function webhooks(query, { me, signal, say, go }) {
  const wanted = { endpoint_id: query.get("endpoint_id") ?? "", status: query.get("status") ?? "" };
  const places = h("div", {}, "…");
  const sent = h("div", {}, "…");
  const more = h("button", { type: "button", hidden: true }, "Show older ones");
  let items = [];
  let cursor = null;
  let urls = new Map();

  async function page() {
    const answer = await call("GET", "admin/webhooks/deliveries", { query: { ...wanted, cursor }, signal });
    items.push(...answer.items);
    cursor = answer.next_cursor;
    more.hidden = !cursor;
    fill(sent, items.length ? deliveries(items, urls) : h("p", {}, "Nothing was sent."));
  }

  async function load() {
    const { items: endpoints } = await call("GET", "admin/webhooks", { signal });
    urls = new Map(endpoints.map((one) => [one.id, one.url]));
    fill(places, endpoints.length ? endpoints.map((one) => endpoint(one, me, done)) : h("p", {}, "No endpoint yet."));
    items = [];
    cursor = null;
    await page();
  }

  async function done(answer, sentence) {
    if (answer === null) return;
    if (answer.secret) await tell({ title: "The secret", text: "It is shown this once: give it to whoever receives the events, who checks their signature with it.", value: answer.secret });
    say(sentence);
    await load();
  }

  more.addEventListener("click", page);
  const status = h(
    "select",
    { onchange: (event) => go(`#/webhooks?${new URLSearchParams({ ...wanted, status: event.target.value })}`) },
    ["", "pending", "delivered", "failed"].map((one) => h("option", { value: one, selected: one === wanted.status }, one || "any")),
  );
  const add = me.role !== "operator" ? null : h("button", { type: "button", onclick: async () => done(await addEndpoint(), "The endpoint is added.") }, "Add an endpoint");
  const view = h(
    "section",
    {},
    h("h1", { tabindex: -1 }, "Webhooks"),
    h("div", { className: "actions" }, add),
    places,
    h("h2", {}, wanted.endpoint_id ? "Deliveries to one endpoint" : "Deliveries"),
    h("div", { className: "filters" }, h("label", {}, "Status", status), wanted.endpoint_id ? link("#/webhooks", "To all") : null),
    sent,
    more,
  );
  return { title: "Webhooks", view, load, changed: () => null };
}

function endpoint(one, me, done) {
  const path = `admin/webhooks/${encodeURIComponent(one.id)}`;
  const state = one.enabled ? (one.failing_since ? "failing" : "enabled") : "disabled";
  return h(
    "article",
    { className: "card" },
    h("h2", {}, one.url, " ", badge(state)),
    facts([
      ["What it is", one.description],
      ["Events", one.events.length ? one.events.join(", ") : "all"],
      ["Disabled because", one.disabled_reason],
      ["Failing since", moment(one.failing_since)],
      ["The secret before counts until", moment(one.previous_secret_until)],
      ["Deliveries", link(`#/webhooks?endpoint_id=${encodeURIComponent(one.id)}`, "of this one")],
    ]),
    me.role === "operator" ? buttons(one, path, done) : null,
  );
}

function buttons(one, path, done) {
  const button = (label, act, sentence) => h("button", { type: "button", onclick: async () => done(await act(), sentence), "aria-label": `${label}: ${one.url}` }, label);
  const confirm = (title, text, act) => () => ask({ title, text, button: title, act });
  return h(
    "div",
    { className: "actions", role: "group" },
    button("Change", () => changeEndpoint(one, path), "The endpoint is changed."),
    one.enabled
      ? button("Disable", confirm("Disable", `Nothing more is sent to ${one.url}.`, () => call("PATCH", path, { body: { enabled: false } })), "The endpoint is disabled.")
      : button("Enable", confirm("Enable", `Events are sent to ${one.url} again.`, () => call("PATCH", path, { body: { enabled: true } })), "The endpoint is enabled."),
    button("New secret", confirm("New secret", "The one before signs beside it for 24 hours.", () => call("POST", `${path}/rotate`)), "The endpoint has a new secret."),
    button("Remove", confirm("Remove", `${one.url} and the log of what was sent there are forgotten.`, () => call("DELETE", path)), "The endpoint is removed."),
  );
}

function addEndpoint() {
  return ask({
    title: "Add an endpoint",
    text: "Events that happen from now on are sent there. Without an event marked, all are.",
    fields: [URL_FIELD, DESCRIPTION],
    choices: { name: "events", label: "Events", options: EVENTS, chosen: [] },
    button: "Add",
    act: (body) => call("POST", "admin/webhooks", { body }),
  });
}

function changeEndpoint(one, path) {
  return ask({
    title: "Change the endpoint",
    text: "Without an event marked, all are sent.",
    fields: [{ ...URL_FIELD, value: one.url }, { ...DESCRIPTION, value: one.description }],
    choices: { name: "events", label: "Events", options: EVENTS, chosen: one.events },
    button: "Change",
    act: (body) => call("PATCH", path, { body }),
  });
}

function deliveries(items, urls) {
  return table(
    "The newest first",
    ["Delivery", "Event", "To", "Checkout", "Status", "Attempts", "Next try", "Created"],
    items.map((one) => [
      link(`#/webhooks/${one.id}`, one.id),
      one.event,
      urls.get(one.endpoint_id) ?? one.endpoint_id,
      link(`#/checkouts/${one.checkout_id}`, one.checkout_id),
      badge(one.status),
      one.attempts,
      moment(one.next_try_at),
      moment(one.created_at),
    ]),
  );
}

/** One delivery: what is sent, and what came of each attempt. */
export function delivery(id, { me, signal, say }) {
  const path = `admin/webhooks/deliveries/${encodeURIComponent(id)}`;
  const body = h("div", {}, "…");
  let looking = null;
  signal.addEventListener("abort", () => clearTimeout(looking));

  async function load() {
    const one = await call("GET", path, { signal });
    // Receivers take their time: no change of a checkout tells of it.
    clearTimeout(looking);
    if (one.status === "pending") looking = setTimeout(() => load().catch(() => {}), LOOK);
    fill(
      body,
      h("p", { className: "standing" }, badge(one.status)),
      me.role !== "operator" ? null : h("div", { className: "actions" }, h("button", { type: "button", onclick: resend }, "Send again")),
      facts([
        ["Event", one.event],
        ["Event's id", one.event_id],
        ["Checkout", link(`#/checkouts/${one.checkout_id}`, one.checkout_id)],
        ["Created", moment(one.created_at)],
        ["Next try", moment(one.next_try_at)],
        ["Ended", moment(one.ended_at)],
      ]),
      one.log.length
        ? table("Attempts", ["Attempt", "When", "Answered", "Took", "Went wrong", "Answer"], one.log.map((attempt) => [
            attempt.number,
            moment(attempt.at),
            attempt.status,
            attempt.milliseconds === null ? "" : `${attempt.milliseconds} ms`,
            attempt.error,
            attempt.response,
          ]))
        : null,
      h("h2", {}, "What is sent"),
      h("pre", { tabindex: 0 }, one.body),
    );
  }

  async function resend() {
    const answer = await ask({
      title: "Send it again",
      text: "Now, whatever came of it before, under the same id.",
      button: "Send again",
      act: () => call("POST", `${path}/resend`),
    });
    if (answer === null) return;
    say(`Sent again: ${id}.`);
    await load();
  }

  return { title: id, view: h("section", {}, h("p", {}, link("#/webhooks", "Webhooks")), h("h1", { tabindex: -1 }, id), body), load, changed: () => null };
}
