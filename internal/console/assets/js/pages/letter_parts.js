// What a dead letter's page shows and nobody types into.
import { count, reasonMeans, timeOf, whenOf } from "../words.js";
import { flat } from "../mend.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { json } from "../json.js";
import { letterAddress } from "./letters.js";

// refusal is what the provider said.
export function refusal(letter) {
  return h("section.card", { "aria-labelledby": "said" },
    h("header", null, h("h2", { id: "said" }, ["invalid", "mapping", "undecodable", "version_mixed", "version_future"].includes(letter.reason) ? "Why it was not sent" : "What the provider said")),
    h("div.body.stack", null,
      letter.provider_message && h("blockquote", null, letter.provider_message),
      letter.errors.length > 0 && h("ul.faults", null, letter.errors.map((e) => h("li", null,
        h("span.mono", null, e.field || "whole row"), e.path && e.path !== e.field && h("span.soft.small", null, ` from ${e.path}`), h("p", null, e.message)))),
      h("p.soft", null, reasonMeans(letter.reason)),
      h("dl.facts", null,
        h("dt", null, "Attempts"), h("dd", null, count(letter.attempts)),
        h("dt", null, "First"), h("dd", null, whenOf(letter.first_at)),
        h("dt", null, "Last"), h("dd", null, whenOf(letter.last_at)),
        h("dt", null, "Cause"), h("dd", null, h("a", { href: `#/letters?${new URLSearchParams({ destination: letter.destination, fingerprint: letter.fingerprint })}` }, "All letters of this cause")))));
}

// request is what was sent, its fields at fault marked.
export function request(letter) {
  const marks = Object.fromEntries(letter.errors.filter((e) => e.field).map((e) => [e.field, "at"]));
  const paths = Object.fromEntries(letter.errors.filter((e) => e.path ?? e.field).map((e) => ["data." + (e.path ?? e.field), "at"]));
  return h("section.card", { "aria-labelledby": "sent" },
    h("header", null, h("h2", { id: "sent" }, letter.row ? "The request row" : "The event"), h("span.grow"), letter.masked && h("span.soft.small", null, "personal fields masked")),
    letter.row ? json(letter.row, marks, "The request row") : [h("p.body.soft", null, "No request row was built."), json(letter.event, paths, "The event")]);
}

// outcome is the row as it would be sent, what differs from the last one marked.
export function outcome(letter, verdict, checking) {
  const row = verdict?.row;
  const head = h("h3", null, "As it would be sent");
  if (!row) return [head, h("p.soft", null, checking ? "Looking…" : verdict?.would === "refuse" ? "Nothing: mend what is marked first." : "No row.")];
  const marks = {};
  const old = new Map(flat(letter.row && typeof letter.row === "object" ? letter.row : {}));
  for (const [k, v] of flat(row)) if (letter.row && JSON.stringify(old.get(k)) !== JSON.stringify(v)) marks[k] = "new";
  for (const e of verdict.errors ?? []) if (e.field) marks[e.field] = "at";
  return [head, json(row, marks, "The row as it would be sent")];
}

// became tells what becomes of a letter that was replayed: fate is {state: queued,
// again or good, place: where the customer is, end: how it ended}.
export function became(fate, destination, status, after) {
  if (fate.state === "again") {
    return h("div.notice.stop", { role: "alert" }, h("span.grow", null, h("strong", null, "Refused again. "), "What is shown below is the newest answer."));
  }
  if (fate.state === "good") {
    const { outcome, version, at: when } = fate.end ?? {};
    return h("div.notice.good", { role: "status", id: "fate" },
      h("span.grow", null, h("strong", null, outcome === "delivered" || outcome === "unchanged" ? `Delivered. ` : `Settled: ${outcome ?? fate.place.state}. `),
        when && `${destination} was given version ${version} at ${timeOf(when)}.`),
      after && h("a.button.small", { href: letterAddress(after) }, "Next letter", icon("next")));
  }
  const d = status?.destinations.find((one) => one.name === destination);
  return h("div.notice.wait", { role: "status", id: "fate" }, h("span.grow", null, h("strong", null, "Queued. "),
    d && d.state !== "running" ? `${destination} is ${d.state}: it is sent when that ends.`
      : fate.place?.state === "retrying" ? "It was tried and is tried again." : "Waiting for the provider's answer…"));
}
