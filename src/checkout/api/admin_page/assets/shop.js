// The shop as a whole: whether it is well, its figures, what is stuck.

import { call } from "./api.js";
import { rows } from "./list.js";
import { badge, duration, facts, fill, findings, h, link, percent, table, words } from "./dom.js";

const SPANS = [[1, "the last hour"], [24, "the last day"], [168, "the last week"]];

export function shop(query, { go, signal, health }) {
  const hours = SPANS.some(([span]) => String(span) === query.get("hours")) ? query.get("hours") : "24";
  const body = h("div", {}, "…");

  async function load() {
    const [diagnosis, figures] = await Promise.all([
      call("GET", "admin/diagnosis", { signal }),
      call("GET", "admin/statistics", { query: { hours }, signal }).catch((refusal) => {
        if (refusal.status === 503) return null; // the diagnosis says why
        throw refusal;
      }),
    ]);
    health(diagnosis.status);
    fill(body, parts(diagnosis, figures));
  }

  const choice = h("select", { onchange: (event) => go(`#/shop?hours=${event.target.value}`) }, SPANS.map(([span, label]) => h("option", { value: span, selected: String(span) === hours }, label)));
  const view = h("section", {}, h("h1", { tabindex: -1 }, "The shop"), h("label", { className: "span" }, "What ended within ", choice), body);
  return { title: "The shop", view, load, changed: load };
}

function parts(diagnosis, figures) {
  return [
    h(
      "div",
      { className: diagnosis.status === "healthy" ? "well" : "wrong" },
      h("h2", {}, `It is ${diagnosis.status}`),
      diagnosis.reasons.length ? findings(diagnosis.reasons) : null,
    ),
    figures && numbers(figures),
    diagnosis.stuck?.length ? [h("h2", {}, "Stuck"), rows(diagnosis.stuck)] : null,
  ];
}

function numbers(figures) {
  const open = (state, count) => link(`#/checkouts?state=${state}`, String(count));
  return [
    facts([
      ["Active", String(figures.active)],
      ["Success rate", percent(figures.success_rate)],
      ["Average to completion", duration(figures.duration.average)],
      ["95 of 100 within", duration(figures.duration.p95)],
      ["Rate-limit hits", String(figures.rate_limit_hits)],
      ["Cache hit rate", percent(figures.cache_hit_rate)],
    ]),
    table("Ended", ["How", "Number"], [
      ...["completed", "failed", "refused", "expired", "cancelled"].map((how) => [
        how in figures.states ? badge(how) : how,
        how in figures.states ? open(how, figures[how]) : String(figures[how]),
      ]),
    ]),
    counts("Active now, by state", "State", Object.entries(figures.active_by_state), ([state, count]) => [badge(state), open(state, count)]),
    counts("Failed, by phase", "Phase", Object.entries(figures.failures_by_phase), ([phase, count]) => [
      words(phase),
      link(`#/checkouts?state=failed&phase=${phase}`, String(count)),
    ]),
  ];
}

function counts(caption, what, entries, cells) {
  const some = entries.filter(([, count]) => count);
  return some.length ? table(caption, [what, "Number"], some.map(cells)) : null;
}
