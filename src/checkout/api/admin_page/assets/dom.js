// Elements, and values as people read them. All text goes in as text: nothing that others wrote is ever read as HTML.

/** An element. `on…` of the properties are listeners, `data` its data attributes; what is null is left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put these into an element in the place of what is there; the focus stays where it was, as far as that is still there. */
export function fill(element, ...children) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const shown = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...shown);
  if (active === null || active.isConnected) return;
  const same = (other) => other.getAttribute("href") === active.getAttribute("href") && other.textContent === active.textContent;
  [...element.querySelectorAll(active.tagName)].find(same)?.focus({ preventScroll: true });
}

/** A link; an address that is neither ours nor the web's is shown as text. */
export function link(href, ...children) {
  const known = href.startsWith("#") || /^https?:\/\//.test(href) || href.startsWith("admin/");
  return known ? h("a", { href }, ...children) : h("span", {}, ...children);
}

/** An amount in minor units. */
export function money(amount, currency) {
  if (amount === null || amount === undefined || !currency) return "";
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** A time of the API in the reader's own zone; the exact one on demand. */
export function moment(at) {
  if (!at) return "";
  const shown = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return h("time", { datetime: at, title: at }, shown);
}

/** Seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A share from 0 to 1. */
export function percent(share) {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)} %`;
}

/** Words of the API for people. */
export function words(name) {
  return name === null || name === undefined ? "" : String(name).replaceAll("_", " ");
}

/** A state in its colour. */
export function badge(state, label = words(state)) {
  return h("span", { className: "badge", data: { state } }, label);
}

/** A table; on a phone each row is a card, and its cells say which column they are of. */
export function table(caption, columns, rows) {
  return h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))),
    h(
      "tbody",
      {},
      rows.map((cells) => h("tr", {}, cells.map((cell, number) => h("td", { data: { label: columns[number] } }, cell ?? "")))),
    ),
  );
}

/** Names with their values; those without one are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { className: "facts" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** What is wrong, and what to do about each. */
export function findings(list) {
  return h(
    "ul",
    { className: "findings" },
    list.map((one) =>
      h("li", { data: { code: one.code, level: one.level } }, h("strong", {}, one.detail), h("span", {}, marked(one.remedy))),
    ),
  );
}

/** A sentence; what stands between backticks is a command. */
function marked(sentence) {
  return sentence.split("`").map((part, number) => (number % 2 ? h("code", {}, part) : part));
}
