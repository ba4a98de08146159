// A customer: where it is at every destination, and what the stream keeps of it.
import { ago, placeLook, placeMeans, placeName, reasonName, timeOf, until, whenOf } from "../words.js";
import { api } from "../api.js";
import { flat } from "../mend.js";
import { h } from "../dom.js";
import { icon, mark } from "../icons.js";
import { json } from "../json.js";
import { toast } from "../dialog.js";

export const title = "Customer";

export function open(ctx) {
  const [shop = "", customer = ""] = ctx.parts;
  let found, history, wrong = "", busy = false;
  const opened = new Set([0]);

  async function load() {
    if (!shop || !customer || busy) return;
    busy = true;
    try {
      found = await api.customer(shop, customer, { signal: ctx.signal });
      if (!history || history.masked && history.states[0]?.version !== found.newest) history = await api.history(shop, customer, { signal: ctx.signal });
      wrong = "";
    } catch (err) {
      if (err.name === "AbortError") return;
      if (err.status === 401) return ctx.failed(err);
      wrong = err.message;
    } finally {
      busy = false;
    }
    draw();
  }

  async function unmask() {
    if (!history?.masked) return;
    try {
      history = await api.unmaskCustomer(shop, customer, "");
      toast("Personal fields are shown. This is recorded.");
      draw();
    } catch (err) {
      ctx.failed(err);
    }
  }

  function search(e) {
    e.preventDefault();
    const f = new FormData(e.target);
    const s = f.get("shop").trim(), c = f.get("customer").trim();
    if (s && c) ctx.go(`#/customer/${encodeURIComponent(s)}/${encodeURIComponent(c)}`);
  }

  function draw() {
    ctx.keys(found ? [{ keys: "m", does: "Show personal fields (recorded)", run: unmask }] : []);
    ctx.show(
      h("div.top", null,
        h("div", null, h("h1", { tabindex: -1 }, found ? [h("span.mono", null, customer), h("span.soft", null, ` of ${shop}`)] : "Find a customer"),
          h("p.sub", null, found ? summary() : "By the shop's name and the shop's own id of the customer.")),
        history?.masked && h("div.acts", null, h("button.button", { type: "button", onclick: unmask, title: "Recorded under your name" }, icon("eye"), "Show personal fields"))),
      h("form.finder", { role: "search", onsubmit: search },
        h("input.input", { name: "shop", placeholder: "Shop", "aria-label": "Shop", value: shop, required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "none", id: "shop" }),
        h("input.input", { name: "customer", placeholder: "Customer id", "aria-label": "Customer id", value: customer, required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "none" }),
        h("button.button", { type: "submit", "class": found ? "" : "main" }, icon("search"), "Find")),
      wrong && h("div.card.empty", { role: "alert" }, h("strong", null, "Not found"), wrong),
      !wrong && shop && customer && !found && h("p.empty", null, "Looking…"),
      found && [
        h("section.block", { "aria-labelledby": "where" }, h("h2", { id: "where" }, "At the destinations"), h("ul.card.places", null, found.destinations.map(place))),
        history && h("section.block", { "aria-labelledby": "history" }, h("h2", { id: "history" }, "Versions that the stream keeps"),
          h("ol.versions", null, history.states.map(version)))]);
  }

  function summary() {
    const n = found.destinations.filter((d) => d.state === "in_step").length;
    const owed = found.destinations.filter((d) => !["filtered", "skipped", "not_owed"].includes(d.state)).length;
    return [found.deleted ? "Deleted" : "Newest version", found.newest === null ? " can't be read" : ` ${found.deleted ? "at version " : ""}${found.newest}`,
      owed ? ` · in step at ${n} of ${owed} destinations` : " · owed to no destination"];
  }

  function place(d) {
    const { held, settled, pending } = d.ledger;
    const behind = held && found.newest !== null && held.version < found.newest;
    return h("li", { key: d.name },
      h("div", null, h("h3", null, d.name), h("span.state", { "class": placeLook(d.state) }, mark({ good: "running", stop: "blocked", wait: "throttled" }[placeLook(d.state)]), placeName(d.state))),
      h("div", null,
        held ? h("p", null, "Holds ", h("strong", { "class": behind ? "behind" : "" }, `version ${held.version}`), h("span.soft", { title: whenOf(held.at) }, ` since ${ago(held.at)}`)) : h("p.soft", null, "Holds nothing of it."),
        held?.provider_id && h("p.soft.small", null, "known there as ", h("span.mono", null, held.provider_id))),
      h("div", null,
        h("p.soft", null, placeMeans(d.state)),
        settled && h("p.small.soft", { title: whenOf(settled.at) }, `Last end: ${settled.outcome}${settled.reason ? `, ${reasonName(settled.reason)}` : ""}, version ${settled.version}, ${ago(settled.at)}${settled.edit ? ", as corrected by a person" : ""}`),
        pending && h("p.small.soft", null, `Under way: version ${pending.version}, attempt ${pending.attempts}${pending.next ? `, next ${until(pending.next)}` : ""}${pending.error ? `, ${pending.error}` : ""}`)),
      d.state === "dead" ? h("a.button.small", { href: "#/letter/" + [d.name, shop, customer].map(encodeURIComponent).join("/") }, "Letter") : h("span"));
  }

  function version(s, i) {
    const older = history.states[i + 1];
    const before = new Map(flat(older?.event?.data));
    const marks = {};
    const now = s.event?.data;
    if (older?.event?.data && now) for (const [k, v] of flat(now)) if (JSON.stringify(before.get(k)) !== JSON.stringify(v)) marks["data." + k] = "new";
    const changed = Object.keys(marks).map((k) => k.slice(5));
    const left = now && older?.event?.data ? [...before.keys()].filter((k) => !flat(now).some(([n]) => n === k)) : [];
    return h("li", { key: s.seq },
      h("details.card", { open: opened.has(i), ontoggle: (e) => { e.target.open ? opened.add(i) : opened.delete(i); } },
        h("summary", null,
          h("strong", null, s.version === null ? "can't be read" : `version ${s.version}`), s.deleted && h("span.state.stop", null, "deleted"),
          h("span.soft", { title: whenOf(s.at) }, `${ago(s.at)}, ${timeOf(s.at)}`),
          h("span.soft.small.grow", null, s.error ?? (changed.length ? `changed: ${changed.slice(0, 6).join(", ")}${changed.length > 6 ? "…" : ""}` : older ? history.masked ? "no change that the mask shows" : "" : "the oldest that is kept"), left.length ? ` left out: ${left.join(", ")}` : "")),
        json(s.event, marks, `The event of version ${s.version}`)));
  }

  draw();
  if (!shop || !customer) requestAnimationFrame(() => document.querySelector("#shop")?.focus());
  load();
  // It moves while it waits: look again now and then.
  const again = setInterval(() => { if (found && !document.hidden) load(); }, 3000);
  ctx.signal.addEventListener("abort", () => clearInterval(again));
}
