// The frame: who is signed in, which view is open, and what changes while it is.

import { Refusal, call, signedOut, token, watch } from "./api.js";
import { detail } from "./detail.js";
import { h, link } from "./dom.js";
import { list } from "./list.js";
import { log } from "./log.js";
import { shop } from "./shop.js";
import { delivery, webhooks } from "./webhooks.js";

/** Milliseconds between two looks at what is shown, however often it changes. */
const APART = 1500;
/** Milliseconds after which it is looked at though no change was told: time alone makes a checkout stuck, and what
 * Temporal and the gateway say of it is no change of its row. */
const ANYWAY = 10_000;

const VIEWS = [
  [/^#\/checkouts\/(.+)$/, (query, frame, subject) => detail(decodeURIComponent(subject), frame)],
  [/^#\/shop$/, shop],
  [/^#\/log$/, log],
  [/^#\/webhooks$/, webhooks],
  [/^#\/webhooks\/(.+)$/, (query, frame, id) => delivery(decodeURIComponent(id), frame)],
  [/^(#\/checkouts)?$/, list],
];
const PLACES = [["#/checkouts", "Checkouts"], ["#/checkouts?stuck=true", "Stuck"], ["#/shop", "The shop"], ["#/webhooks", "Webhooks"], ["#/log", "Log"]];

let session = null;

function signIn(reason = "") {
  session?.abort();
  session = null;
  token.forget();
  const error = h("p", { className: "error", role: "alert" }, reason);
  const input = h("input", { type: "password", name: "token", required: true, autocomplete: "current-password" });
  const form = h(
    "form",
    { className: "login" },
    h("h1", {}, "Checkouts"),
    h("label", {}, "Admin token", input, h("small", {}, "CHECKOUT_ADMIN_TOKEN, or one of CHECKOUT_ADMIN_TOKENS. It is kept until this tab is closed.")),
    error,
    h("button", { type: "submit", className: "primary" }, "Sign in"),
    h("p", {}, link("admin/catalogue/", "The catalogue admin")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = input.value.trim();
    // A header carries no other characters, and no token of ours has any.
    if (!/^[\x21-\x7e]+$/.test(given)) return void (error.textContent = "This is no admin token.");
    token.set(given);
    await open(error);
  });
  document.title = "Sign in – Checkouts";
  document.body.replaceChildren(h("main", { id: "main" }, form));
  input.focus();
}

async function open(error = null) {
  try {
    frame(await call("GET", "admin/me"));
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    const reason = [401, 403].includes(refusal.status) ? "This is no admin token." : refusal.message;
    if (error === null) signIn(reason);
    else {
      token.forget();
      error.textContent = reason;
    }
  }
}

function frame(me) {
  session = new AbortController();
  const { signal } = session;
  const main = h("main", { id: "main" });
  const said = h("p", { className: "said", role: "status", "aria-live": "polite" });
  const live = h("span", { className: "live", role: "status" }, "…");
  const well = h("a", { href: "#/shop", className: "badge", data: { state: "unknown" } }, "…");
  const nav = h("nav", { "aria-label": "Places" }, PLACES.map(([href, label]) => h("a", { href }, label)), h("a", { href: "admin/catalogue/" }, "Catalogue"));
  const search = h("form", { role: "search", className: "search" }, h("input", { type: "search", name: "id", placeholder: "Checkout, cart or order", "aria-label": "Checkout, cart or order", autocomplete: "off", maxlength: 255 }));
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = new FormData(search).get("id").trim();
    if (wanted) go(`#/checkouts/${encodeURIComponent(wanted)}`);
  });
  const header = h(
    "header",
    {},
    h("a", { className: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.querySelector("h1")?.focus(); } }, "To the content"),
    nav,
    search,
    h("div", { className: "who" }, well, live, h("span", {}, `${me.name}, ${me.role}`), h("button", { type: "button", onclick: () => signIn() }, "Sign out")),
  );
  document.body.replaceChildren(header, said, main);

  let view = null;
  let leaving = new AbortController();
  const say = (sentence) => (said.textContent = sentence);
  const health = (status) => {
    well.dataset.state = status;
    well.textContent = status;
  };

  /** Look, or say why that cannot be; what was shown before stays. */
  async function look(work) {
    const of = view;
    try {
      await work();
      if (of === view) main.querySelector(".failed")?.remove();
    } catch (refusal) {
      if (refusal.name === "AbortError" || of !== view) return;
      if (!(refusal instanceof Refusal)) throw refusal;
      main.querySelector(".failed")?.remove();
      for (const one of main.querySelectorAll("section > div")) if (one.textContent === "…") one.replaceChildren();
      main.prepend(h("p", { className: "failed error", role: "alert" }, refusal.message));
    }
  }

  async function show() {
    const [path, query = ""] = location.hash.split("?");
    const [pattern, make] = VIEWS.find(([one]) => one.test(path)) ?? VIEWS.at(-1);
    leaving.abort();
    leaving = new AbortController();
    const around = { me, say, go, health, signal: AbortSignal.any([signal, leaving.signal]) };
    view = make(new URLSearchParams(query), around, path.match(pattern)?.[1]);
    document.title = `${view.title} – Checkouts`;
    for (const place of nav.children) {
      if (place.getAttribute("href") === (location.hash || "#/checkouts")) place.setAttribute("aria-current", "page");
      else place.removeAttribute("aria-current");
    }
    say("");
    main.replaceChildren(view.view);
    main.querySelector("h1").focus();
    await look(view.load);
  }

  async function refreshHealth() {
    const seen = await call("GET", "health/checkout", { signal }).catch((refusal) => refusal);
    health(seen.code === "unhealthy" ? "unhealthy" : seen instanceof Error ? "unknown" : seen.status);
  }

  const again = paced(async (ids) => {
    await free();
    await look(() => view.changed(ids));
  });
  window.addEventListener("hashchange", show, { signal });
  watch(again, (whether) => (live.textContent = whether ? "live" : "not live"), signal);
  const every = [setInterval(refreshHealth, 30_000), setInterval(() => again(null), ANYWAY)];
  signal.addEventListener("abort", () => every.forEach(clearInterval));
  refreshHealth();
  show();
}

/** Once no dialog is open, which is about what was seen before, and nothing is being marked to be copied. */
async function free() {
  while (document.querySelector("dialog[open]") || !getSelection().isCollapsed) await pause();
}

function pause() {
  return new Promise((done) => setTimeout(done, APART));
}

/** At most once in APART: what came meanwhile is gathered. */
function paced(act) {
  let waiting = undefined;
  let busy = false;
  return async function changed(ids) {
    waiting = waiting === undefined ? ids : waiting === null || ids === null ? null : [...waiting, ...ids];
    if (busy) return;
    busy = true;
    while (waiting !== undefined) {
      const now = waiting;
      waiting = undefined;
      await act(now);
      await pause();
    }
    busy = false;
  };
}

function go(hash) {
  location.hash = hash;
}

signedOut.then = () => session && signIn("The API takes this token no more.");
if (token.get()) open();
else signIn();
