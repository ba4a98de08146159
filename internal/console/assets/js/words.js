// Plain words and figures for what the API tells. Nothing here looks anything up.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const count = (n) => whole.format(n ?? 0);
export const many = (n, word, words = word + "s") => `${count(n)} ${n === 1 ? word : words}`;

// rate is a speed a second, as exact as a person reads it.
export function rate(n) {
  return n >= 100 ? whole.format(n) : n >= 1 ? one.format(n) : n > 0 ? two.format(n) : "0";
}

// share is a part of 1; what is not quite all is never shown as all.
export function share(part) {
  if (part >= 1) return "100 %";
  return (part > .9995 ? "99.9" : one.format(part * 100)) + " %";
}

const steps = [[60, "s"], [60, "min"], [24, "h"], [Infinity, "d"]];

// span is a time in seconds, in its largest unit: 45 s, 3 min, 2 h, 5 d.
export function span(seconds) {
  let n = Math.max(0, seconds);
  for (const [size, unit] of steps) {
    if (n < size) return `${Math.floor(n)} ${unit}`;
    n /= size;
  }
}

const seconds = (at) => (Date.now() - new Date(at)) / 1000;

export function ago(at) {
  const n = seconds(at);
  return n < 2 ? "just now" : span(n) + " ago";
}

export const age = (at) => span(seconds(at));

export function until(at) {
  const n = -seconds(at);
  return n <= 0 ? "now" : "in " + span(Math.ceil(n));
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

export const timeOf = (at) => clock.format(new Date(at));
export const dayOf = (at) => day.format(new Date(at));
export const whenOf = (at) => full.format(new Date(at));

// Each state of a destination: its look, and what it means for a person.
const states = {
  running: { look: "good", means: "Delivering." },
  throttled: { look: "wait", means: "The provider asked for a pause. Rows wait." },
  outage: { look: "fail", means: "The provider does not answer as it should. Rows wait." },
  blocked: { look: "stop", means: "Nothing works until a person acts. Rows wait." },
  paused: { look: "held", means: "Paused by a person. Rows wait." },
  stopped: { look: "off", means: "No worker runs it. Rows wait in the stream." },
};

export const lookOf = (state) => states[state]?.look ?? "off";
export const meaningOf = (state) => states[state]?.means ?? "";

// Each reason of a dead letter: a short name and what a person does about it.
const reasons = {
  undecodable: { name: "not an event", means: "What was published is no event; nothing in it is guessed at. The shop has to publish this customer again." },
  invalid: { name: "breaks a rule", means: "It breaks a rule of the provider and was not sent. Mend the field, then replay." },
  rejected: { name: "refused", means: "The provider refused this row. Mend what it names, then replay." },
  exhausted: { name: "given up", means: "Every attempt failed until the bound of attempts or time. Replay when the provider is well." },
  in_doubt: { name: "in doubt", means: "It may exist at the provider already: an answer got lost. Look there first, then replay or discard." },
  mapping: { name: "mapping failed", means: "An expression under map or when failed on this customer. Mend the configuration or the field, then replay." },
  version_mixed: { name: "versions mixed", means: "A plain version came after a version made of time. The shop has to choose one kind; worker forget begins anew." },
  version_future: { name: "from the future", means: "Its version is a time more than ten minutes ahead. Mend the shop's clock and publish again." },
};

export const reasonName = (r) => reasons[r]?.name ?? r;
export const reasonMeans = (r) => reasons[r]?.means ?? "";
export const allReasons = Object.keys(reasons);

// Where a customer is at one destination.
const places = {
  in_step: { name: "in step", look: "good", means: "It has the newest version." },
  waiting: { name: "waiting", look: "wait", means: "The newest version has no end yet." },
  retrying: { name: "retrying", look: "wait", means: "It is tried again at a later time." },
  in_doubt: { name: "in doubt", look: "wait", means: "A call of it may have been applied; it is looked up before it is sent again." },
  dead: { name: "dead", look: "stop", means: "A dead letter is open." },
  discarded: { name: "discarded", look: "off", means: "A person discarded the dead letter; a newer version is sent again." },
  filtered: { name: "filtered", look: "off", means: "shops or when do not admit it." },
  skipped: { name: "skipped", look: "off", means: "The provider has no such operation." },
  not_owed: { name: "not owed", look: "off", means: "Published before this destination began." },
  regressed: { name: "regressed", look: "stop", means: "It was given a newer version than the stream has." },
  lost: { name: "lost", look: "stop", means: "It has no end, and nobody comes back to it. Run worker audit, then worker backfill." },
};

export const placeName = (p) => places[p]?.name ?? p;
export const placeLook = (p) => places[p]?.look ?? "off";
export const placeMeans = (p) => places[p]?.means ?? "";
