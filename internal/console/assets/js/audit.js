// The audit: every customer at every destination, counted.
import { api } from "./api.js";
import { count, many } from "./words.js";
import { dialog } from "./dialog.js";
import { h } from "./dom.js";

const columns = [["in_step", "in step"], ["waiting", "waiting"], ["dead", "dead"], ["discarded", "discarded"], ["filtered", "filtered"], ["skipped", "skipped"], ["not_owed", "not owed"], ["lost", "lost"], ["regressed", "regressed"]];

export function audit(ctx) {
  const stop = new AbortController();
  let found, wrong;
  const d = dialog("Audit: was anything lost?", (self) => ({
    body: wrong ? h("p.notice.fail", { role: "alert" }, wrong)
      : !found ? h("p.soft", { role: "status" }, "Looking at every customer at every destination…")
        : [verdict(found), table(found), lost(found)],
    foot: h("button.button.main", { type: "button", onclick: () => self.close() }, found || wrong ? "Close" : "Stop"),
  }), { wide: true });
  d.ended.then(() => stop.abort());
  api.audit({ signal: stop.signal }).then((a) => { found = a; d.redraw(); }, (err) => {
    if (err.name === "AbortError") return;
    if (err.status === 401) { d.close(); ctx.failed(err); }
    wrong = err.message;
    d.redraw();
  });
}

function verdict(a) {
  const bad = a.lost + a.regressed;
  return h("p.notice", { "class": bad ? "stop" : "good", role: "status" }, h("strong", null, bad
    ? `${many(a.lost, "customer")} lost, ${count(a.regressed)} regressed. worker backfill delivers them again.`
    : `Nothing was lost: each of ${many(a.customers, "customer")} is accounted for at every destination.`));
}

function table(a) {
  const shown = columns.filter(([k]) => a[k] || ["in_step", "waiting", "dead", "lost"].includes(k));
  const row = (name, d) => h("tr", null, h("th", { scope: "row" }, name), shown.map(([k]) => h("td", { "class": k === "lost" && d[k] ? "bad" : "" }, count(d[k]))));
  return h("div.table", { tabindex: 0, role: "region", "aria-label": "Audit by destination" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "destination"), shown.map(([, name]) => h("th", { scope: "col" }, name)))),
    h("tbody", null, a.destinations.map((d) => row(d.name, d))),
    h("tfoot", null, row("all", a))));
}

function lost(a) {
  if (!a.lost_customers.length) return null;
  return h("ul.mono", null, a.lost_customers.slice(0, 20).map((c) =>
    h("li", null, h("a", { href: `#/customer/${encodeURIComponent(c.shop)}/${encodeURIComponent(c.customer)}` }, `${c.shop} ${c.customer}`), " ", c.destination)));
}
