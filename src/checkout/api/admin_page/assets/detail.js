// One checkout in full: what is wrong, how it went, and what can be done.

import { call } from "./api.js";
import { ask } from "./dialogs.js";
import { badge, duration, facts, fill, findings, h, link, moment, money, table, words } from "./dom.js";

/** The view of a checkout's id, a cart's or an order's reference. */
export function detail(subject, { me, signal, say }) {
  const heading = h("h1", { tabindex: -1 }, subject);
  const body = h("div", {}, "…");
  let shown = null;

  async function load() {
    const found = await call("GET", `admin/checkouts/${encodeURIComponent(subject)}/diagnosis`, { signal });
    shown = found.checkout.id;
    heading.textContent = shown;
    fill(body, parts(found, me, done));
  }

  async function done(answer, what) {
    if (answer === null) return;
    say(`${what}: ${answer.id} is ${words(answer.state)}.`);
    await load();
  }

  const view = h("section", {}, heading, body);
  return { title: subject, view, load, changed: (ids) => (ids === null || ids.includes(shown) ? load() : null) };
}

function parts(found, me, done) {
  const one = found.checkout;
  const { timeline, workflow } = one;
  return [
    h("p", { className: "standing" }, badge(one.state, one.state_name), one.stuck ? badge("stuck") : null),
    h(
      "div",
      { className: found.well ? "well" : "wrong" },
      h("h2", {}, found.well ? "Nothing is wrong with it" : "What is wrong with it"),
      found.well ? null : findings(found.findings),
    ),
    actions(one, me, done),
    facts([
      ["Cart", link(`#/checkouts/${one.cart_id}`, one.cart_id)],
      ["Total", one.totals ? money(one.totals.total, one.currency) : ""],
      ["Order", one.order ? `${one.order.reference} (${words(one.order.status)})` : ""],
      ["Created", moment(one.created_at)],
      ["Last change", moment(one.updated_at)],
      ["Deadline", one.completed_at || one.failed_at ? "" : moment(one.expires_at)],
      ["Waits for", one.waiting_for ? `${words(one.waiting_for.what)}` : ""],
      ["Failure", one.failure ? `${one.failure.code}: ${one.failure.detail}` : ""],
      ["Last error", one.last_error ? `${one.last_error.code}: ${one.last_error.detail}` : ""],
      ["Workflow", workflow.temporal_url ? link(workflow.temporal_url, "in the Temporal UI") : workflow.workflow_id],
      ["Workflow's status", words(workflow.status) || workflow.note],
      ["Other attempts", found.others.length ? h("span", {}, found.others.map((other) => [link(`#/checkouts/${other.id}`, other.id), ` (${words(other.state)}) `])) : ""],
    ]),
    some("Phases", ["Phase", "Outcome", "Began", "Took", "Attempts", "Last error"], timeline.phases, (phase) => [
      words(phase.phase),
      badge(phase.outcome),
      moment(phase.began_at),
      phase.waited_seconds ? `${duration(phase.seconds)} (${duration(phase.waited_seconds)} for the buyer)` : duration(phase.seconds),
      phase.attempts,
      phase.last_error,
    ]),
    payments(timeline.payments, found.gateway),
    some("Given back", ["Compensation", "Done", "Attempts", "Last error"], timeline.compensations, (undone) => [
      words(undone.compensation),
      undone.done ? moment(undone.done_at) : undone.refused ? badge("refused", "refused by the gateway") : "not yet",
      undone.attempts,
      undone.last_error,
    ]),
    some("Pending in Temporal", ["Activity", "Attempt", "Next", "Last failure"], workflow.pending_activities ?? [], (pending) => [
      words(pending.activity),
      pending.attempt,
      pending.running ? "runs now" : pending.paused === null ? moment(pending.next_try_at) : "paused",
      pending.last_failure,
    ]),
    some("Lines", ["SKU", "Name", "Quantity", "Total"], one.lines, (line) => [line.sku, line.name, line.quantity, money(line.total, one.currency)]),
    some("Stock", ["SKU", "Warehouse", "Units", "Status"], one.reservations, (held) => [held.sku, held.warehouse, held.quantity, words(held.status)]),
    some("Money that nobody owed", ["Payment", "Amount", "Sent back"], one.unowed, (sent) => [sent.payment_id, money(sent.amount, sent.currency), moment(sent.returned_at)]),
    some("Refunds of its order", ["Refund", "Status", "Amount", "Reason", "By", "When"], one.refunds, (refund) => [
      refund.id,
      words(refund.status),
      money(refund.amount, refund.currency),
      refund.reason,
      refund.requested_by,
      moment(refund.created_at),
    ]),
    h(
      "details",
      {},
      h("summary", {}, "Every state that it was in"),
      some("States", ["State", "Entered", "Stayed"], timeline.states, (visit) => [visit.state_name, moment(visit.at), duration(visit.seconds)]),
    ),
    some("What admins did", ["When", "Who", "Did", "Came of it", "Reason"], one.actions, (act) => [
      moment(act.at),
      act.who,
      words(act.action),
      words(act.outcome ?? "not known"),
      act.reason,
    ]),
  ];
}

function some(caption, columns, list, cells) {
  return list.length ? table(caption, columns, list.map(cells)) : null;
}

function payments(list, gateway) {
  const there = new Map(gateway.map((one) => [one.attempt_id, one]));
  return some("Payments: the shop's books, and the gateway's", ["Attempt", "Method", "Status", "Authorized", "Captured", "Refunded", "At the gateway"], list, (one) => [
    one.id,
    words(one.method),
    one.by_hand ? `settled by hand by ${one.by_hand.who}` : one.code ? `${words(one.status)}: ${words(one.code)}` : words(one.status),
    money(one.authorized, one.currency),
    money(one.captured, one.currency),
    money(one.refunded, one.currency),
    atGateway(there.get(one.id)),
  ]);
}

function atGateway(one) {
  if (!one) return "nothing there";
  if (one.answer !== "known") return `${one.payment_id}: ${one.note}`;
  const moved = ["authorized", "captured", "voided", "refunded"].filter((column) => one[column]);
  const amounts = moved.map((column) => `${column} ${money(one[column], one.currency)}`).join(", ");
  return `${one.payment_id}: ${words(one.status)}${amounts ? ` (${amounts})` : ""}`;
}

const REASON = { name: "reason", label: "Why", hint: "Kept in the log of what admins did." };

function actions(one, me, done) {
  if (one.closed) return null;
  if (me.role !== "operator") return h("p", { className: "notice" }, "You may look. Who is to act needs an operator's token.");
  const path = `admin/checkouts/${encodeURIComponent(one.id)}`;
  const waiting = (one.workflow.pending_activities ?? []).some((pending) => !pending.running);
  const refused = one.timeline.compensations.filter((undone) => undone.refused);
  const button = (label, act) => h("button", { type: "button", onclick: act }, label);
  return h(
    "div",
    { className: "actions", role: "group", "aria-label": "Do something about it" },
    one.state === "compensating"
      ? null
      : button("Release", async () =>
          done(
            await ask({
              title: "Release the checkout",
              text: "It is cancelled, and all that it holds is given back. This cannot be undone.",
              fields: [REASON],
              button: "Release",
              act: (body) => call("POST", `${path}/release`, { body }),
            }),
            "Released",
          ),
        ),
    waiting || refused.length
      ? button("Retry now", async () =>
          done(
            await ask({
              title: "Try at once",
              text: "What waits for its next attempt does not wait longer. Mend the cause first.",
              button: "Retry now",
              act: () => call("POST", `${path}/retry`),
            }),
            "Tried",
          ),
        )
      : null,
    refused.map((undone) =>
      button(`Resolve: ${words(undone.compensation)}`, async () =>
        done(
          await ask({
            title: `Resolve: ${words(undone.compensation)}`,
            text: "The gateway refuses it for good, and people have settled the payment by hand. The gateway is not asked again.",
            fields: [REASON, { name: "done", label: "What was done by hand", hint: "Kept: no personal data." }],
            button: "It is done by hand",
            act: (body) => call("POST", `${path}/resolve`, { body: { ...body, compensation: undone.compensation } }),
          }),
          "Resolved",
        ),
      ),
    ),
  );
}
