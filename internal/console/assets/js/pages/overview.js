// Overview: how every destination is, in one look.
import { age, count, lookOf, many, meaningOf, rate, share, until, whenOf } from "../words.js";
import { api } from "../api.js";
import { ask, toast } from "../dialog.js";
import { audit } from "../audit.js";
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { icon, mark } from "../icons.js";
import { span } from "../live.js";

export const title = "Overview";

export function open(ctx) {
  ctx.keys([{ keys: "p", does: "Prove that nothing was lost (audit)", run: () => audit(ctx) }]);
  ctx.live.on((l) => ctx.show(l.status ? view(l, ctx) : h("p.empty", null, l.state === "lost" ? "The worker does not answer. Trying again…" : "Asking the worker…")), ctx.signal);
}

function view(l, ctx) {
  const list = l.status.destinations;
  const sum = (f) => list.reduce((n, d) => n + f(d), 0);
  const dead = sum((d) => d.dead);
  return [
    l.state === "lost" && h("div.lost-bar", { role: "alert" }, h("span", null, `The line to the worker is lost; this is as of ${age(l.heard)} ago. Reconnecting…`)),
    h("div.top", null,
      h("div", null,
        h("h1", { tabindex: -1 }, headline(list, dead)),
        h("p.sub", null, `${count(sum((d) => d.waiting))} waiting · ${count(sum((d) => d.retrying))} retrying · ${rate(sum((d) => d.rows_per_second))} rows/s · `,
          dead ? h("a", { href: "#/letters" }, many(dead, "dead letter")) : "no dead letters")),
      h("div.acts", null, h("button.button", { type: "button", onclick: () => audit(ctx) }, "Audit…"))),
    h("ul.lanes", { "aria-label": "Destinations" }, list.map((d) => lane(d, l.past.get(d.name), ctx))),
    list.length === 0 && h("div.empty", null, h("strong", null, "No destinations"), "The configuration names none."),
  ];
}

// headline says the one thing to know first.
function headline(list, dead) {
  const of = (...states) => list.filter((d) => states.includes(d.state));
  const names = (few) => few.length <= 2 ? few.map((d) => d.name).join(" and ") : many(few.length, "destination");
  const is = (few) => few.length === 1 ? "is" : "are";
  const blocked = of("blocked"), stopped = of("stopped"), away = of("outage", "throttled"), paused = of("paused");
  if (blocked.length) return `${names(blocked)} ${is(blocked)} blocked and ${blocked.length === 1 ? "needs" : "need"} a person`;
  if (stopped.length) return stopped.length === list.length ? "No worker runs" : `No worker runs ${names(stopped)}`;
  if (away.length) return `${names(away)} ${is(away)} waiting for the provider`;
  if (paused.length) return `${names(paused)} ${is(paused)} paused, all else delivers`;
  const well = list.every((d) => !d.waiting && !d.retrying) ? "Every destination is in step" : "Every destination delivers";
  return dead ? `${well}, but for ${many(dead, "dead letter")}` : well;
}

function lane(d, past = { rows: [], calls: [], outcomes: [] }, ctx) {
  const closed = ["throttled", "outage", "blocked"].includes(d.state);
  const limit = d.calls_per_second_limit ? ` of ${rate(d.calls_per_second_limit)}` : "";
  return h("li.lane.card", { key: d.name, "class": lookOf(d.state) },
    h("div.who", null,
      h("h2", null, d.name, h("span.soft.small", null, d.provider && d.provider !== d.name ? " " + d.provider : "")),
      h("div.row", null,
        h("span.state", { "class": lookOf(d.state) }, mark(d.state), d.state),
        d.since && h("span.soft.small", { title: whenOf(d.since) }, "for " + age(d.since))),
      h("p.why", null, why(d))),
    h("dl.numbers", null,
      figure("waiting", count(d.waiting), d.oldest_waiting_at && d.waiting > 0 ? `oldest ${age(d.oldest_waiting_at)}` : ""),
      figure("retrying", count(d.retrying)),
      figure("dead", d.dead ? h("a.dead", { href: `#/letters?destination=${encodeURIComponent(d.name)}`, "aria-label": `${many(d.dead, "dead letter")} of ${d.name}` }, count(d.dead)) : "0")),
    speed("rows/s", rate(d.rows_per_second), past.rows, `${d.name}, rows per second`),
    speed("calls/s", rate(d.calls_per_second) + limit, past.calls, `${d.name}, calls per second`),
    success(d, past),
    h("div.shards", null, shards(d), h("div.do", null,
      d.state === "paused" ? h("button.button.small", { type: "button", onclick: () => resume(d, ctx) }, icon("resume"), "Resume")
        : closed ? h("button.button.small", { type: "button", onclick: () => resume(d, ctx), title: "Try one batch at once" }, "Try now")
          : null,
      d.state !== "paused" && d.state !== "stopped" && h("button.button.small.plain", { type: "button", onclick: () => pause(d, ctx), "aria-label": `Pause ${d.name}`, title: "Pause" }, icon("pause"), closed ? null : "Pause"))));
}

// why says in plain words why it is as it is.
function why(d) {
  const next = d.gate?.until ? ` Next try ${until(d.gate.until)}.` : "";
  switch (d.state) {
    case "running": return d.shards.length === 0 ? "Starting: no worker has taken it up yet." : d.waiting || d.retrying || d.rows_per_second > 0 ? "Delivering." : "In step: nothing waits.";
    case "paused": return `Paused by ${d.paused?.by || "a person"}${d.paused?.note ? `: “${d.paused.note}”` : ""}. Rows wait.`;
    case "stopped": return d.reason === "no longer in the configuration" ? "No longer in the configuration. worker remove clears it." : meaningOf(d.state);
  }
  return [meaningOf(d.state), d.reason && h("span.reason.mono", null, d.reason), next];
}

function figure(name, value, more) {
  return h("div", null, h("dt", null, name), h("dd", null, value), more && h("dd.more", null, more));
}

function speed(unit, now, values, label) {
  return h("div.speed", null, h("div.now", null, h("strong", null, now), h("span.soft", null, " " + unit)), chart(values, span, label));
}

// success is the share of verdicts that were good, in what the charts show or,
// when nothing happened there, since the workers began.
function success(d, past) {
  const last = d.outcomes ?? {};
  const first = past.outcomes.find(Boolean);
  const grown = (k) => first ? Math.max(0, (last[k] ?? 0) - (first[k] ?? 0)) : 0;
  const judged = ["delivered", "unchanged", "skipped", "dead", "retried"];
  const recent = judged.some((k) => grown(k) > 0);
  const n = (k) => recent ? grown(k) : last[k] ?? 0;
  const good = n("delivered") + n("unchanged") + n("skipped"), retried = n("retried"), dead = n("dead");
  const all = good + retried + dead;
  const of = recent ? "last 5 min" : "since start";
  if (!all) return h("div.success", null, h("div.now", null, h("strong", null, "–"), h("span.soft", null, " went through")), h("div.bar"), h("p.soft.small", null, "nothing sent yet"));
  return h("div.success", { title: `${many(good, "row")} went through, ${count(retried)} tried again, ${count(dead)} dead` },
    h("div.now", null, h("strong", null, share(good / all)), h("span.soft", null, " went through")),
    h("div.bar", { role: "img", "aria-label": `${many(good, "row")} went through, ${count(retried)} tried again, ${count(dead)} dead` },
      [["good", good], ["wait", retried], ["stop", dead]].filter(([, v]) => v).map(([look, v]) => h("i", { "class": look, style: { "flex-grow": String(Math.max(v, all / 60)) } }))),
    h("p.soft.small", null, of));
}

// shards are squares in the colour of who owns them; an empty one is nobody's.
function shards(d) {
  const owners = [...new Set(d.shards.map((s) => s.owner).filter(Boolean))].sort();
  const free = d.shards.filter((s) => !s.owner).length;
  const says = d.shards.length === 0 ? "not laid out yet" : free ? `${count(free)} of ${many(d.shards.length, "shard")} free` : owners.length === 1 ? owners[0] : many(owners.length, "worker");
  return [
    h("div.squares", { role: "img", "aria-label": `${many(d.shards.length, "shard")}, owned by ${owners.join(", ") || "nobody"}` },
      d.shards.map((s) => h("i", { "class": s.owner ? `own o${owners.indexOf(s.owner) % 6}` : "free", title: `shard ${s.shard}: ${s.owner || "nobody"}` }))),
    h("p.soft.small", { title: owners.join(", ") }, says)];
}

async function pause(d, ctx) {
  const note = await ask(`Pause ${d.name}?`, {
    says: h("p", null, "Calls in flight are finished; then nothing is sent, by any worker, until somebody resumes. Rows wait in the stream, nothing is lost."),
    label: "Why (recorded, and shown to others)", hint: "maintenance until 14:00", action: "Pause",
  });
  if (note === undefined) return;
  await api.pause(d.name, note).then(() => toast(`${d.name} is paused.`, { action: "Resume", onaction: () => resume(d, ctx) }), ctx.failed);
}

async function resume(d, ctx) {
  await api.resume(d.name, "").then(() => toast(d.state === "paused" ? `${d.name} goes on.` : `${d.name} tries again at once.`),
    (err) => err.status === 409 ? accept(d, ctx) : ctx.failed(err));
}

// accept is for streams that are not those of before: no try ends that.
async function accept(d, ctx) {
  const note = await ask(`Go on with what is there at ${d.name}?`, {
    says: [h("p", null, h("span.mono", null, d.reason)),
      h("p", null, "Put the stream back if you can. Otherwise all customers are read anew and held against the ledger, and those that it does not know are created at the provider, once more where it has them.")],
    label: "Why (recorded)", required: true, action: "Accept and go on", look: "bad main",
  });
  if (note === undefined) return;
  await api.resume(d.name, note, true).then(({ accepted }) => toast(accepted ? `${d.name} goes on, and reads all customers anew.` : `The streams of ${d.name} are those of before.`), ctx.failed);
}
