// The list of checkouts: filters in the address, pages by cursor.

import { call } from "./api.js";
import { badge, fill, h, link, moment, money, table, words } from "./dom.js";

export const STATES = [
  "pending", "validating", "reserving", "locking_prices", "awaiting_payment", "authorizing", "requires_action",
  "creating_order", "awaiting_funds", "capturing", "committing", "completed", "compensating", "failed", "expired", "cancelled",
];
export const PHASES = [
  "cart_validation", "inventory_reservation", "price_lock", "payment_authorization", "order_creation", "payment_capture",
  "stock_commit",
];
const FILTERS = ["state", "phase", "customer_id", "date_from", "date_to", "stuck"];

/** The view; `changed` looks again at what is shown. */
export function list(query, { go, signal }) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const body = h("div", {}, "…");
  const more = h("button", { type: "button", hidden: true }, "Show older ones");
  let items = [];
  let pages = 1;

  async function load() {
    const found = [];
    let cursor = null;
    let page = 0;
    do {
      const answer = await call("GET", "admin/checkouts", { query: { ...wanted, cursor }, signal });
      found.push(...answer.items);
      cursor = answer.next_cursor;
      page += 1;
    } while (cursor && page < pages);
    items = found;
    more.hidden = !cursor;
    fill(body, items.length ? rows(items) : h("p", {}, "No checkout fits."));
  }

  more.addEventListener("click", async () => {
    const before = items.length;
    pages += 1;
    await load();
    body.querySelectorAll("tbody a")[before]?.focus();
  });
  const view = h("section", {}, h("h1", { tabindex: -1 }, wanted.stuck ? "Stuck checkouts" : "Checkouts"), filters(wanted, go), body, more);
  return { title: "Checkouts", view, load, changed: load };
}

export function rows(items) {
  return table(
    "Checkouts, the newest first",
    ["Checkout", "State", "Created", "Total", "Order", "Customer", "Why"],
    items.map((one) => [
      link(`#/checkouts/${one.id}`, one.id),
      badge(one.state, one.state_name),
      moment(one.created_at),
      money(one.total, one.currency),
      one.order_reference,
      one.customer_id,
      one.stuck_reason ? h("strong", {}, `Stuck: ${one.stuck_reason}`) : words(one.failure_code),
    ]),
  );
}

function filters(wanted, go) {
  const choice = (name, label, options) =>
    h(
      "label",
      {},
      label,
      h("select", { name }, h("option", { value: "" }, "any"), options.map((one) => h("option", { value: one, selected: one === wanted[name] }, words(one)))),
    );
  const input = (name, label, type) => h("label", {}, label, h("input", { name, type, value: wanted[name], maxlength: 255 }));
  const form = h(
    "form",
    { className: "filters", "aria-label": "Filter" },
    choice("state", "State", STATES),
    choice("phase", "Phase", PHASES),
    input("customer_id", "Customer", "text"),
    input("date_from", "From (UTC)", "date"),
    input("date_to", "To (UTC)", "date"),
    h("label", { className: "check" }, h("input", { type: "checkbox", name: "stuck", value: "true", checked: wanted.stuck === "true" }), "Stuck"),
    h("button", { type: "submit" }, "Filter"),
    link("#/checkouts", "All"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...new FormData(form)].filter(([, value]) => value !== "");
    go(`#/checkouts?${new URLSearchParams(chosen)}`);
  });
  return form;
}
