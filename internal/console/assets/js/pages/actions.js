// Actions: what people did, the newest first.
import { ago, dayOf, many, reasonName, timeOf, whenOf } from "../words.js";
import { api } from "../api.js";
import { ask, toast } from "../dialog.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";

export const title = "Actions";

const verbs = {
  replay: { name: "replayed", icon: "replay" }, replayed: { name: "queued", icon: "replay" }, edit: { name: "mended", icon: "mend" }, discard: { name: "discarded", icon: "discard" }, undo: { name: "opened again", icon: "undo" },
  unmask: { name: "looked at personal fields of", icon: "eye" }, accept: { name: "accepted other streams for", icon: "resume" }, pause: { name: "paused", icon: "pause" }, resume: { name: "resumed", icon: "resume" },
  backfill: { name: "backfilled", icon: "replay" }, forget: { name: "forgot", icon: "discard" }, remove: { name: "removed", icon: "discard" },
};

export function open(ctx) {
  const verb = ctx.query.get("verb") ?? "", destination = ctx.query.get("destination") ?? "";
  let list = null, next, wrong = "", busy = false;

  async function load(anew) {
    if (busy) return;
    busy = true;
    try {
      const page = await api.actions({ verb, destination, limit: 100, cursor: anew ? undefined : next }, { signal: ctx.signal });
      list = anew ? page.actions : [...list, ...page.actions];
      next = page.next, wrong = "";
    } catch (err) {
      if (err.name === "AbortError") return;
      if (err.status === 401) return ctx.failed(err);
      wrong = err.message;
    } finally {
      busy = false;
    }
    draw();
  }

  const address = (change) => {
    const q = new URLSearchParams(Object.entries({ verb, destination, ...change }).filter(([, v]) => v));
    return "#/actions" + (q.size ? "?" + q : "");
  };

  function draw() {
    const days = grouped(list ?? []);
    const names = ctx.live.status?.destinations.map((d) => d.name) ?? [];
    const pick = (name, value, label, options) => h("label", null, h("span.seen-by-readers", null, label),
      h("select.input", { value, onchange: (e) => ctx.go(address({ [name]: e.target.value })) },
        h("option", { value: "" }, label + ": all"), options.map(([v, text]) => h("option", { value: v, selected: v === value }, text))));
    ctx.show(
      h("div.top", null, h("div", null, h("h1", { tabindex: -1 }, "Actions"), h("p.sub", null, "What people did, kept for 90 days."))),
      h("form.filter", { onsubmit: (e) => e.preventDefault() },
        pick("verb", verb, "What", Object.entries(verbs).map(([v, { name }]) => [v, name])),
        pick("destination", destination, "Destination", names.map((n) => [n, n]))),
      wrong && h("p.notice.fail", { role: "alert" }, wrong),
      list?.length === 0 && h("div.card.empty", null, h("strong", null, "Nothing yet"), "Replays, corrections, discards and looks at personal fields will stand here."),
      [...days].map(([day, of]) => h("section.block", { key: day }, h("h2", null, day), h("ol.card.deeds", null, of.map(deed)))),
      next && h("button.button", { type: "button", onclick: () => load(false) }, "Older"));
  }

  function deed(a) {
    const v = verbs[a.verb] ?? { name: a.verb, icon: "actions" };
    return h("li", null, h("span.sign", null, icon(v.icon)),
      h("div", null,
        h("p", null, h("strong", null, a.by || "somebody"), ` ${v.name} `, object(a), a.verb === "replayed" && !a.complete && ", when it was cut short"),
        a.note && h("p.soft", null, `“${a.note}”`)),
      h("time.soft.small", { datetime: a.at, title: whenOf(a.at) }, `${timeOf(a.at)} · ${ago(a.at)}`),
      a.verb === "replayed" && !a.complete && a === list.find((b) => b.run === a.run) ? h("button.button.small", { type: "button", onclick: () => goOn(a) }, icon("replay"), "Go on")
        : a.verb === "discard" && a.customer ? h("button.button.small", { type: "button", onclick: () => undo(a) }, icon("undo"), "Undo") : h("span"));
  }

  async function goOn(a) {
    try {
      const done = await api.act("replay", { resume: a.run }, { body: {} });
      toast(`${many(done.queued, "more letter")} queued.`);
    } catch (err) {
      ctx.failed(err);
    }
    load(true);
  }

  async function undo(a) {
    const note = await ask("Open the letter again?", { says: h("p", null, `The letter of ${a.customer} at ${a.destination} becomes open again, unless a newer version got through.`), label: "Note (recorded)", action: "Open it again" });
    if (note === undefined) return;
    try {
      const done = await api.act("undo", { destination: a.destination, shop: a.shop, customer: a.customer }, { body: { note } });
      toast(done.restored ? "The letter is open again." : done.gone ? "Its event is not kept any more, so it can't be opened again." : "There is nothing to undo: it is open already, or has got another end.");
      load(true);
    } catch (err) {
      ctx.failed(err);
    }
  }

  draw();
  load(true);
}

// object is what an action was done to.
function object(a) {
  const at = a.destination && a.destination !== "-" ? ` at ${a.destination}` : "";
  if (a.customer) return [h("a", { href: `#/customer/${encodeURIComponent(a.shop)}/${encodeURIComponent(a.customer)}` }, h("span.mono", null, a.customer)), ` of ${a.shop}${at}`, a.reason ? h("span.soft", null, ` (${reasonName(a.reason)})`) : null];
  if (a.verb === "replayed") return [many(a.queued, "letter"), at];
  if (a.filter) {
    const f = Object.entries(a.filter).filter(([k, v]) => v && k !== "destination").map(([k, v]) => `${k} ${k === "reason" ? reasonName(v) : v}`);
    const n = a.queued ?? a.edited ?? a.discarded;
    return [n !== undefined ? many(n, "letter") : f.length ? "letters with " + f.join(", ") : "all letters", at || a.filter.destination ? at || ` at ${a.filter.destination}` : ""];
  }
  return h("strong", null, a.destination === "-" ? "" : a.destination);
}

function grouped(list) {
  const days = new Map();
  for (const a of list) days.set(dayOf(a.at), [...days.get(dayOf(a.at)) ?? [], a]);
  return days;
}
