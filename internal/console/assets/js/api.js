// The worker's HTTP API. Every call gives what is answered, or throws a Problem.

// Problem is a refusal: its message says what is wrong and what to do. status 0:
// the worker did not answer.
export class Problem extends Error {
  constructor(status, title, detail, errors = []) {
    const words = detail || title;
    super(words[0].toUpperCase() + words.slice(1) + (/[.?!]$/.test(words) ? "" : "."));
    Object.assign(this, { name: "Problem", status, errors });
  }
}

const root = "/api/v1/";

async function ask(method, path, { query, body, signal, grant } = {}) {
  const headers = {};
  if (method === "POST") headers["Content-Type"] = "application/json";
  if (grant) headers["Custsync-Grant"] = grant;
  const found = query ? "?" + new URLSearchParams(Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== "")) : "";
  const answer = await call(root + path + found, { method, headers, signal, body: method === "POST" ? JSON.stringify(body ?? {}) : undefined, cache: "no-store" },
    method === "GET" || query?.dry_run);
  if (answer.ok) return answer;
  const p = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, p.title ?? `Answer ${answer.status}`, p.detail, p.errors);
}

// call fetches. What changes nothing is asked again when the line broke, as it does
// when a machine changes its network, or when the worker has too much to do.
async function call(address, options, harmless) {
  for (let tries = harmless ? 3 : 1; ; tries--) {
    try {
      const answer = await fetch(address, options);
      if (answer.status !== 429 || tries <= 1) return answer;
      await new Promise((done) => setTimeout(done, 600));
    } catch (err) {
      if (err.name === "AbortError") throw err;
      if (tries <= 1) throw new Problem(0, "No answer", "the worker does not answer: check that it runs, and try again");
      await new Promise((done) => setTimeout(done, 400));
    }
  }
}

const get = async (path, options) => (await ask("GET", path, options)).json();
const post = async (path, options) => (await ask("POST", path, options)).json();

// Whoever does something says first who they are. ask gets it out of them, and
// throws an AbortError where they would not say.
let known = async () => {};
export const firstAsk = (ask) => { known = ask; };

const deed = async (path, options) => (await known(), post(path, options));

// stream posts and hands on every line of the answer as it comes; it returns the
// last one, which is how it ended. A Problem beside that has it as done.
async function stream(path, { heard = () => {}, ...options }) {
  const answer = await ask("POST", path, options);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", last = {}, ended;
  for (;;) {
    const { value, done } = await reader.read().catch((err) => {
      if (err.name === "AbortError") throw err;
      throw new Problem(0, "The line broke", "the line broke: what was done until then is done; do it again for the rest");
    });
    rest += value ?? "";
    const lines = rest.split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      if (!line) continue;
      last = JSON.parse(line);
      ended ??= last.done;
      heard(last);
    }
    if (done) break;
  }
  if (last.problem) throw Object.assign(new Problem(last.problem.status, last.problem.title, last.problem.detail, last.problem.errors), { done: ended });
  if (!last.done) throw new Problem(0, "The answer was cut", "the answer was cut: what was done until then is done; do it again for the rest");
  return last.done;
}

// rows is a dry run: what would become of single letters, at most n, and of all.
// It changes nothing, so it is asked for again when its answer breaks off.
async function rows(verb, filter, n, { body, signal, grant } = {}) {
  for (let tries = 3; ; tries--) {
    const found = [];
    try {
      const done = await stream("deadletters/" + verb, { query: { ...filter, dry_run: true, rows: n }, body, signal, grant, heard: (l) => l.row && found.push(l.row) });
      return { rows: found, done };
    } catch (err) {
      if (tries <= 1 || err.status !== 0) throw err;
    }
  }
}

const part = encodeURIComponent;

// A filter of letters is {destination, reason, shop, customer, fingerprint,
// older_than}; what is empty selects all.
export const api = {
  live: root + "live",
  session: () => get("session"),
  login: (token, name) => post("session", { body: { ...(token && { token }), name } }),
  logout: () => ask("DELETE", "session"),
  past: (options) => get("destinations/history", options),
  known: () => known(),
  pause: (destination, note) => deed(`destinations/${part(destination)}/pause`, { body: { note } }),
  resume: (destination, note, accept = false) => deed(`destinations/${part(destination)}/resume`, { body: { note, accept } }),
  groups: (filter, options) => get("deadletters/groups", { ...options, query: filter }),
  letters: (filter, cursor, options) => get("deadletters", { ...options, query: { ...filter, cursor, limit: 200 } }),
  letter: (id, options) => get("deadletters/show", { ...options, query: id }),
  unmask: (id, note) => deed("deadletters/unmask", { query: id, body: { note } }),
  preview: rows,
  act: async (verb, filter, { rate, ...options }) => (await known(), stream("deadletters/" + verb, { ...options, query: { ...filter, rate } })),
  customer: (shop, customer, options) => get(`customers/${part(shop)}/${part(customer)}`, options),
  history: (shop, customer, options) => get(`customers/${part(shop)}/${part(customer)}/history`, options),
  unmaskCustomer: (shop, customer, note) => deed(`customers/${part(shop)}/${part(customer)}/unmask`, { body: { note } }),
  workers: (options) => get("workers", options),
  actions: (query, options) => get("actions", { ...options, query }),
  audit: (options) => get("audit", options),
};
