// What changes by itself: the destinations and the workers, as the worker tells
// them. Whoever listens hears what was heard last at once, and then every second.
import { api } from "./api.js";
import { h } from "./dom.js";
import { timeOf } from "./words.js";

export const span = 300; // seconds that the charts show

// A line that is silent for so long is lost, whatever the browser thinks of it.
const silence = 40_000;

// live opens the line. Its state is "wait" before the first word, "on" or "lost".
// refused is asked when the line was refused, and says whether that is final.
export function live({ refused }) {
  const listeners = new Set();
  const self = { state: "wait", heard: Date.now(), status: null, workers: null, letters: 0, past: new Map(), on, close };
  let source, later, idle, tried;

  const tell = () => { for (const f of [...listeners]) f(self); };

  function turn(state) {
    if (self.state === state) return;
    self.state = state;
    tell();
  }

  function hear(does) {
    return (e) => {
      self.heard = Date.now();
      does?.(e.data && JSON.parse(e.data));
      turn("on");
      if (does) tell();
    };
  }

  function connect() {
    clearTimeout(later);
    source?.close();
    tried = Date.now();
    source = new EventSource(api.live);
    source.addEventListener("status", hear((d) => { self.status = d; }));
    source.addEventListener("workers", hear((d) => { self.workers = d.workers; }));
    source.addEventListener("letters", hear(() => { self.letters++; }));
    source.addEventListener("ping", hear());
    source.onopen = hear();
    source.onerror = () => {
      turn("lost");
      // The browser comes back by itself, unless it was refused: then we ask why.
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(later);
      later = setTimeout(async () => { if (!await refused()) connect(); }, 2000);
    };
  }

  // A page that nobody looks at holds no line: a browser has few for one worker.
  const look = new AbortController();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(idle);
    if (document.hidden) idle = setTimeout(() => { source.close(); self.state = "wait"; }, 60_000);
    else if (source.readyState === EventSource.CLOSED) connect();
  }, { signal: look.signal });
  // Nor does one that was left, which the browser may keep to come back to.
  addEventListener("pagehide", () => source.close(), { signal: look.signal });
  addEventListener("pageshow", (e) => e.persisted && connect(), { signal: look.signal });

  const tick = setInterval(() => {
    if (self.state === "on" && Date.now() - Math.max(self.heard, tried) > silence) {
      turn("lost");
      connect();
    }
    if (self.state === "on" && self.status) note(self.past, self.status.destinations, Date.now());
    tell();
  }, 1000);

  function on(f, signal) {
    listeners.add(f);
    signal?.addEventListener("abort", () => listeners.delete(f));
    f(self);
  }

  function close() {
    source?.close();
    clearTimeout(later);
    clearTimeout(idle);
    clearInterval(tick);
    look.abort();
    listeners.clear();
  }

  // What was before this page was opened; without it the charts begin now.
  api.past().then(({ history }) => {
    for (const [name, samples] of Object.entries(history)) {
      const now = self.past.get(name);
      const before = samples.filter((one) => !now || Date.parse(one.at) < now.at[0]);
      const p = { at: [], rows: [], calls: [], outcomes: [] };
      for (const one of before) add(p, Date.parse(one.at), one.rows_per_second, one.calls_per_second);
      for (let i = 0; i < (now?.at.length ?? 0); i++) add(p, now.at[i], now.rows[i], now.calls[i], now.outcomes[i]);
      self.past.set(name, p);
    }
    tell();
  }).catch(() => {});
  connect();
  return self;
}

// note adds a moment to what is known of the destinations.
function note(past, destinations, at) {
  for (const d of destinations) {
    let p = past.get(d.name);
    if (!p) past.set(d.name, p = { at: [], rows: [], calls: [], outcomes: [] });
    add(p, at, d.rows_per_second, d.calls_per_second, d.outcomes);
  }
}

// add puts a second at the end. A few seconds before it that are missing were like
// it; a longer time in which nobody looked is a gap of nothing.
function add(p, at, rows, calls, outcomes = null) {
  const missed = p.at.length ? Math.min(span, Math.round((at - p.at.at(-1)) / 1000) - 1) : 0;
  for (let i = missed; i > 0; i--) missed > 5 ? push(p, at - i * 1000, 0, 0, null) : push(p, at - i * 1000, rows, calls, null);
  push(p, at, rows, calls, outcomes);
}

function push(p, at, rows, calls, outcomes) {
  p.at.push(at), p.rows.push(rows), p.calls.push(calls), p.outcomes.push(outcomes);
  if (p.at.length > span) for (const list of Object.values(p)) list.shift();
}

// sign shows whether what is seen is live.
export function sign(l) {
  const words = { wait: "Connecting", on: "Live", lost: "Reconnecting" }[l.state];
  return h("div.line.live", { "class": l.state, title: l.state === "lost" ? "What you see is as of " + timeOf(l.heard) : null }, h("span.dot"), words);
}
