// Dead letters: what they have in common, and all of them.
import { ago, allReasons, count, many, reasonName, whenOf } from "../words.js";
import { api } from "../api.js";
import { bulk } from "../bulk.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { scroller } from "../scroll.js";

export const title = "Dead letters";

const fields = ["destination", "reason", "shop", "customer", "fingerprint"];

// seen is the list that was shown last, so that a letter knows the next one, and
// that a person comes back to where they were.
const seen = { address: "", items: [], next: null, place: null };

// around gives the letters before and after one in the list that was shown last.
export function around(id) {
  const i = seen.items.findIndex((l) => l.destination === id.destination && l.shop === id.shop && l.customer === id.customer);
  return { before: seen.items[i - 1], after: i >= 0 ? seen.items[i + 1] : undefined, back: seen.address || "#/letters" };
}

export const letterAddress = (l) => "#/letter/" + [l.destination, l.shop, l.customer].map(encodeURIComponent).join("/");

export function open(ctx) {
  const filter = Object.fromEntries(fields.map((f) => [f, ctx.query.get(f) ?? ""]));
  const narrow = matchMedia("(max-width: 1080px)");
  const here = location.hash;
  const back = seen.address === here && seen.place;
  let groups = null, wrong = "", changed = false, loading = false;
  if (!back) Object.assign(seen, { items: [], next: undefined, place: null });
  seen.address = here;

  const list = scroller({
    label: "Dead letters", height: () => narrow.matches ? 74 : 58, row: line,
    more: (n) => { if (seen.next !== null && n >= seen.items.length) load(); },
    open: (l) => { seen.place = list.place(); ctx.go(letterAddress(l)); },
  });
  ctx.signal.addEventListener("abort", () => { seen.place ??= list.place(); list.end(); });
  // What a person looks at is not taken away when the window changes its width.
  narrow.addEventListener("change", () => { list.draw(); draw(); }, { signal: ctx.signal });

  async function load(anew = false) {
    if (loading && !anew) return;
    loading = true;
    try {
      const page = await api.letters(filter, anew ? undefined : seen.next, { signal: ctx.signal });
      seen.items = anew ? page.deadletters : [...seen.items, ...page.deadletters];
      seen.next = page.next;
      wrong = "", changed = false;
    } catch (err) {
      if (err.name === "AbortError") return;
      if (err.status === 401) return ctx.failed(err);
      wrong = err.message, seen.next = null;
    } finally {
      loading = false;
    }
    draw();
    list.set(seen.items, total());
  }

  async function group() {
    const { fingerprint, ...rest } = filter;
    try {
      groups = (await api.groups(rest, { signal: ctx.signal })).groups;
    } catch (err) {
      if (err.name === "AbortError") return;
      if (err.status === 401) return ctx.failed(err);
      wrong = err.message;
    }
    draw();
    list.set(seen.items, total());
  }

  // total is how many letters the filter selects, as far as that is known.
  function total() {
    if (seen.next === null) return seen.items.length;
    if (!groups) return 0;
    return groups.filter((g) => !filter.fingerprint || g.fingerprint === filter.fingerprint).reduce((n, g) => n + g.letters, 0);
  }

  // doubtful is how many of them may be at the provider already.
  const doubtful = () => (groups ?? []).filter((g) => g.reason === "in_doubt" && (!filter.fingerprint || g.fingerprint === filter.fingerprint)).reduce((n, g) => n + g.letters, 0);

  // address is this page with some of its filter changed.
  function address(change) {
    const q = new URLSearchParams(Object.entries({ ...filter, ...change }).filter(([, v]) => v));
    return "#/letters" + (q.size ? "?" + q : "");
  }

  function draw() {
    const n = total();
    const chosen = fields.some((f) => filter[f]);
    const one = groups?.find((g) => g.fingerprint === filter.fingerprint);
    const listed = !narrow.matches || filter.fingerprint || filter.customer || ctx.query.has("all");
    const act = (verb) => bulk(verb, { filter: compact(filter), total: n, what: says(filter, one), doubt: doubtful(), example: seen.items[0], ctx, done: refresh });
    ctx.keys([
      { keys: "j|ArrowDown", does: "Next letter", run: () => list.step(1) },
      { keys: "k|ArrowUp", does: "Letter before", run: () => list.step(-1) },
      { keys: "Enter|o", does: "Open the letter", run: () => list.openActive() },
      { keys: "r", does: "Replay all that are selected…", run: () => n && act("replay") },
      { keys: "e", does: "Mend all that are selected…", run: () => n && act("edit") },
      { keys: "d", does: "Discard all that are selected…", run: () => n && act("discard") },
      { keys: "u", does: "All causes", run: () => ctx.go("#/letters") },
      { keys: "f", does: "Filter", run: () => document.querySelector(".filter select")?.focus() },
    ]);
    ctx.show(
      h("div.top", null,
        h("div", null,
          h("h1", { tabindex: -1 }, groups || seen.next === null ? n ? many(n, "dead letter") : "No dead letters" : "Dead letters"),
          h("p.sub", null, chosen ? [says(filter, one), ". ", h("a", { href: "#/letters" }, "Show all")] : n ? "Customers that a destination would not take. Each waits for a person." : "")),
        n > 0 && h("div.acts", null,
          h("button.button.main", { type: "button", onclick: () => act("replay") }, icon("replay"), "Replay…"),
          h("button.button", { type: "button", onclick: () => act("edit") }, icon("mend"), "Mend…"),
          h("button.button.bad", { type: "button", onclick: () => act("discard") }, icon("discard"), "Discard…"))),
      filterBar(),
      wrong && h("p.notice.fail", { role: "alert" }, h("span.grow", null, wrong), h("button.button.small", { type: "button", onclick: refresh }, "Try again")),
      h("div.desk", { "class": listed ? "listed" : "" },
        h("section.causes", { "aria-label": "Causes" },
          h("h3", null, groups ? many(groups.length, "cause") : "Causes"),
          groups?.length === 0 && !wrong ? h("div.card.empty", null, h("strong", null, "Nothing here"), chosen ? "No open letter fits the filter." : "No destination has refused anything that is still open.") : null,
          h("ul.groups", null, (groups ?? []).map((g) => cause(g, groups[0].letters))),
          narrow.matches && !listed && n > 0 && h("a.button", { href: address({}) + (chosen ? "&" : "?") + "all=1" }, `List all ${count(n)}`)),
        h("section.list", { "aria-label": "Letters" },
          narrow.matches && listed && h("a.button.small.plain", { href: address({ fingerprint: "", customer: "" }) }, icon("back"), "Causes"),
          changed && h("p.notice", { role: "status" }, h("span.grow", null, "Letters have come or gone."), h("button.button.small", { type: "button", onclick: refresh }, "Show")),
          h("div.card", { "class": n || seen.items.length ? "" : "none" }, list.el))));
  }

  function filterBar() {
    const names = ctx.live.status?.destinations.map((d) => d.name) ?? [];
    if (filter.destination && !names.includes(filter.destination)) names.push(filter.destination);
    const pick = (name, label, options) => h("label", null, h("span.seen-by-readers", null, label),
      h("select.input", { value: filter[name], onchange: (e) => ctx.go(address({ [name]: e.target.value, fingerprint: "" })) },
        h("option", { value: "" }, label + ": all"), options.map(([v, text]) => h("option", { value: v, selected: filter[name] === v }, text))));
    return h("form.filter", { onsubmit: (e) => { e.preventDefault(); const f = new FormData(e.target); ctx.go(address({ shop: f.get("shop").trim(), customer: f.get("customer").trim(), fingerprint: "" })); } },
      pick("destination", "Destination", names.map((n) => [n, n])),
      pick("reason", "Reason", allReasons.map((r) => [r, reasonName(r)])),
      h("input.input", { name: "shop", placeholder: "Shop", "aria-label": "Shop", value: filter.shop, autocomplete: "off" }),
      h("input.input", { name: "customer", placeholder: "Customer id", "aria-label": "Customer id", value: filter.customer, autocomplete: "off" }),
      h("button.button", { type: "submit" }, "Filter"));
  }

  function cause(g, most) {
    const on = g.fingerprint === filter.fingerprint;
    return h("li", { key: g.destination + g.fingerprint },
      h("a.group", { href: on ? address({ fingerprint: "" }) : address({ fingerprint: g.fingerprint }), "aria-current": on ? "true" : null },
        h("span.n", null, count(g.letters)),
        h("span.text", null,
          h("span.cause", null, g.field && h("b", null, g.field + " "), g.cause || reasonName(g.reason)),
          h("span.soft.small", null, `${g.destination} · ${reasonName(g.reason)} · `, h("span", { title: whenOf(g.last_at) }, `last ${ago(g.last_at)}`))),
        h("span.bar", { "aria-hidden": "true" }, h("i", { style: { width: `${Math.max(1, 100 * g.letters / most)}%` } }))));
  }

  function refresh() {
    group();
    load(true);
  }

  draw();
  if (back) {
    list.set(seen.items, total());
    requestAnimationFrame(() => { list.back(seen.place); seen.place = null; });
  } else {
    load();
  }
  group();

  // What changes is counted anew at once; the list is left alone while a person
  // is somewhere in its middle.
  let known = ctx.live.letters, busy = false;
  ctx.live.on((l) => {
    if (l.letters === known || busy) return;
    known = l.letters, busy = true;
    setTimeout(async () => {
      if (ctx.signal.aborted) return;
      await group();
      if (seen.items.length <= 200 && list.place().top === 0) await load(true);
      else changed = true, draw();
      busy = false;
    }, 1000);
  }, ctx.signal);
}

// line is one letter in the list.
function line(l, i, active) {
  const first = l.errors[0];
  return h("div.letter", { "class": active ? "active" : "" },
    h("a.id", { href: letterAddress(l), tabindex: -1 }, h("span.mono", null, l.customer), h("span.soft", null, " " + l.shop)),
    h("span.words", null, first?.field && h("b", null, first.field + " "), first?.message || l.provider_message || reasonName(l.reason)),
    h("span.soft.small.at", null, `${l.destination} · ${reasonName(l.reason)}${l.errors.length > 1 ? ` · ${l.errors.length} fields` : ""}`),
    h("span.when", null, l.edited && h("span.state.good", null, "mended"), h("span.soft.small", { title: whenOf(l.last_at) }, ago(l.last_at))));
}

// says is the filter in words; empty: it selects all.
function says(filter, group) {
  const parts = [];
  if (filter.destination) parts.push("at " + filter.destination);
  if (filter.reason) parts.push(reasonName(filter.reason));
  if (filter.shop) parts.push("of shop " + filter.shop);
  if (filter.customer) parts.push("of customer " + filter.customer);
  if (filter.fingerprint) parts.push(group ? `${filter.destination ? "" : `at ${group.destination}, `}for “${[group.field, group.cause].filter(Boolean).join(" ")}”` : "of one cause");
  return parts.join(", ");
}

const compact = (filter) => Object.fromEntries(Object.entries(filter).filter(([, v]) => v));
