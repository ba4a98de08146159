// Workers: who is there, and who owns which shard.
import { age, count, many, rate, whenOf } from "../words.js";
import { h } from "../dom.js";

export const title = "Workers";

export function open(ctx) {
  ctx.live.on((l) => ctx.show(l.workers && l.status ? view(l.workers, l.status.destinations) : h("p.empty", null, "Asking the worker…")), ctx.signal);
}

function view(workers, destinations) {
  const list = [...workers].sort((a, b) => a.id < b.id ? -1 : 1);
  const shards = destinations.flatMap((d) => d.shards);
  const free = shards.filter((s) => !s.owner).length;
  const place = new Map(list.map((w, i) => [w.id, i]));
  return [
    h("div.top", null, h("div", null,
      h("h1", { tabindex: -1 }, many(list.length, "worker")),
      h("p.sub", null, free ? `${count(free)} of ${many(shards.length, "shard")} owned by nobody: they are taken within about the lease.` : `Each of ${many(shards.length, "shard")} has one owner.`))),
    h("ul.fleet", null, list.map((w, i) => worker(w, i))),
    h("section.block", { "aria-labelledby": "map" }, h("h2", { id: "map" }, "Shards"),
      h("div.card.map", { tabindex: 0, role: "region", "aria-label": "Who owns which shard" }, h("table", null,
        h("thead.seen-by-readers", null, h("tr", null, h("th", { scope: "col" }, "destination"), h("th", { scope: "col" }, "owners by shard"))),
        h("tbody", null, destinations.map((d) => h("tr", null, h("th", { scope: "row" }, d.name),
          h("td", null, d.shards.length === 0 ? h("span.soft", null, "not laid out yet") : h("div.cells", null, d.shards.map((s) => {
            const i = place.get(s.owner);
            return h("span.cell", { "class": s.owner ? `own o${(i ?? 5) % 6}` : "free", title: `shard ${s.shard}: ${s.owner || "nobody"}` },
              h("span.seen-by-readers", null, `shard ${s.shard} `), s.owner ? letterOf(i) : "–");
          }))))))))),
  ];
}

const letterOf = (i) => i === undefined ? "?" : String.fromCharCode(65 + i % 26);

function worker(w, i) {
  const sum = (k) => w.destinations.reduce((n, d) => n + d[k], 0);
  const shards = w.destinations.reduce((n, d) => n + d.shards.length, 0);
  return h("li.card.worker", { key: w.id },
    h("header", null, h("span.cell.own", { "class": `o${i % 6}`, "aria-hidden": "true" }, letterOf(i)), h("h2.mono", null, w.id), h("span.grow"), h("span.soft.small", { title: whenOf(w.since) }, `here for ${age(w.since)}`)),
    h("div.body", null,
      h("dl.figures", null, fact("shards", count(shards)), fact("rows/s", rate(sum("rows_per_second"))), fact("calls/s", rate(sum("calls_per_second"))), fact("in memory", count(sum("waiting"))), fact("calls in flight", count(sum("in_flight")))),
      h("ul.works", null, w.destinations.map((d) => h("li", null, h("span", null, d.name), h("span.soft", null, `${many(d.shards.length, "shard")} · ${rate(d.rows_per_second)} rows/s`))))));
}

const fact = (name, value) => h("div", null, h("dt", null, name), h("dd", null, value));
