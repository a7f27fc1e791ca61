// The admin API: calls with the token, and the stream of changes. The token lives as long as the tab.

const KEY = "checkout-admin-token";
const BASE = new URL(".", document.baseURI);

/** What the API answered instead: `code` and `detail` as in its problems; status 0 where it did not answer. */
export class Refusal extends Error {
  constructor(status, problem) {
    const fields = (problem.errors ?? []).map((error) => `${error.field} ${error.message}`).join("; ");
    super(fields || problem.detail || `The API answers ${status}.`);
    this.status = status;
    this.code = problem.code ?? "";
    this.problem = problem;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Called when the API takes the token no more. */
export const signedOut = { then: () => {} };

/** The JSON of a good answer. Throws Refusal. */
export async function call(method, path, { query = {}, body, signal } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const headers = { Authorization: `Bearer ${token.get()}`, Accept: "application/json" };
  if (method !== "GET") headers["Idempotency-Key"] = random();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { detail: "The API does not answer. Is it running, and are you connected?" });
  }
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  if (answer.status === 401) signedOut.then();
  throw new Refusal(answer.status, document);
}

/** Tells of changes until `signal` ends it: `changed(ids)`, null where any may have changed; `alive(whether)`. */
export async function watch(changed, alive, signal) {
  let pause = 1;
  while (!signal.aborted) {
    try {
      const headers = { Authorization: `Bearer ${token.get()}`, Accept: "text/event-stream" };
      const answer = await fetch(new URL("admin/events", BASE), { headers, signal });
      if (answer.status === 401) return signedOut.then();
      if (!answer.ok) throw new Error(`${answer.status}`);
      alive(true);
      pause = 1;
      for await (const data of events(answer.body)) changed(JSON.parse(data).ids);
    } catch (error) {
      if (signal.aborted) return;
    }
    alive(false);
    await new Promise((done) => setTimeout(done, pause * 1000));
    pause = Math.min(pause * 2, 15);
  }
}

/** The data of each event of a stream, by the HTML standard, section 9.2; ours are on one line. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (left + value).split(/\r\n|\n|\r/);
    left = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice("data: ".length);
  }
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
