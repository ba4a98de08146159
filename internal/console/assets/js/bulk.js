// Many letters at once: what would happen to them, then doing it, with progress.
import { count, many, rate } from "./words.js";
import { known, patch, source } from "./mend.js";
import { wouldCounts, wouldLook, wouldName } from "./would.js";
import { api } from "./api.js";
import { dialog, toast } from "./dialog.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

const verbs = {
  replay: { name: "Replay", did: "queued", done: "queued", doing: "Queueing" },
  edit: { name: "Mend", did: "edited", done: "mended", doing: "Mending" },
  discard: { name: "Discard", did: "discarded", done: "discarded", doing: "Discarding" },
};

// bulk opens the dialog of a verb for the letters that a filter selects: total of
// them, what in words (empty: all), one as an example.
export function bulk(verb, { filter, total, what, example, ctx, done }) {
  const v = verbs[verb];
  const guess = example?.errors.map(source).find(Boolean);
  let changes = guess ? { [guess]: "" } : {};
  let raw = null, rawWrong = "", note = "", speed = "", replayToo = true;
  let seen = null, wrong = "", running = null, ended = null, over = false, asked;
  const stop = new AbortController();

  const body = () => verb === "edit" ? { patch: raw ? raw.value : patch(changes), note } : { note };
  const ready = () => verb !== "edit" || !rawWrong && Object.keys(body().patch ?? {}).length > 0;

  async function preview() {
    asked?.abort();
    asked = new AbortController();
    seen = null, wrong = "";
    d.redraw();
    if (!ready()) return;
    const { signal } = asked;
    try {
      await new Promise((r) => setTimeout(r, 350));
      if (signal.aborted) return;
      seen = await api.preview(verb, filter, 20, { body: body(), signal });
    } catch (err) {
      if (err.name === "AbortError") return;
      wrong = err.message;
    }
    d.redraw();
  }

  async function run() {
    running = { done: 0, verb: v };
    wrong = "";
    d.redraw();
    const heard = (l) => { if (l.progress) running.done = l.progress.done, d.redraw(); };
    try {
      const first = await api.act(verb, filter, { body: body(), rate: speed, signal: stop.signal, heard });
      ended = { [v.done]: first[v.did] ?? 0, refused: first.refused ?? 0, moved: first.moved ?? 0 };
      if (verb === "edit" && replayToo && first.edited) {
        running = { done: 0, verb: verbs.replay };
        d.redraw();
        const second = await api.act("replay", filter, { body: { note }, rate: speed, signal: stop.signal, heard });
        ended.queued = second.queued ?? 0;
      }
    } catch (err) {
      if (err.name === "AbortError") wrong = "Stopped. What was done until then is done.";
      else wrong = err.message;
    }
    running = null, over = true;
    d.redraw();
    done();
  }

  function draw(self) {
    if (over || running) return { body: progress(), foot: foot(self) };
    return { body: [h("p", null, h("strong", null, many(total, "letter")), what ? ` ${what}.` : ", all that are open."), says(), verb === "edit" && fields(), options(), shown()], foot: foot(self) };
  }

  function says() {
    return h("p.soft", null, {
      replay: "Each customer's newest state is delivered, to its destination only. A newer version is never overwritten.",
      edit: "The correction is kept with each letter and sent to its destination only. Letters that it would leave invalid are not changed.",
      discard: "The destinations keep what they have of these customers until a newer version comes. Letters can be opened again.",
    }[verb]);
  }

  function fields() {
    const set = (change) => { change(); preview(); };
    return h("fieldset.corrections", null, h("legend.seen-by-readers", null, "Correction"),
      raw === null ? [
        Object.entries(changes).map(([path, text], i) => h("div.correction", { key: "c" + i },
          h("select.input", { "aria-label": "Field", value: path, onchange: (e) => set(() => { changes = Object.fromEntries(Object.entries(changes).map(([p, t]) => p === path ? [e.target.value, t] : [p, t])); }) },
            [...new Set([path, ...known])].filter((p) => p === path || !(p in changes)).map((p) => h("option", { value: p, selected: p === path }, p))),
          h("input.input", { "aria-label": `New value of ${path}`, placeholder: "empty: leave the field out", value: text, spellcheck: "false", autocomplete: "off", oninput: (e) => set(() => { changes[path] = e.target.value; }) }),
          h("button.button.small.plain", { type: "button", "aria-label": `Don't change ${path}`, onclick: () => set(() => { delete changes[path]; }) }, icon("close")))),
        h("div.row", null,
          h("button.button.small", { type: "button", onclick: () => set(() => { changes[known.find((p) => !(p in changes))] = ""; }) }, Object.keys(changes).length ? "Another field" : "Choose a field"),
          h("button.button.small.plain", { type: "button", onclick: () => { raw = { value: patch(changes), text: JSON.stringify(patch(changes)) }; d.redraw(); } }, "As JSON")),
      ] : h("label.field", null, h("span", null, "JSON merge patch of the customers' data"),
        h("textarea.input", {
          "class": rawWrong ? "wrong" : "", spellcheck: "false", value: raw.text,
          oninput: (e) => set(() => {
            raw.text = e.target.value;
            try {
              raw.value = JSON.parse(raw.text);
              rawWrong = raw.value && typeof raw.value === "object" && !Array.isArray(raw.value) ? "" : 'It has to be an object, such as {"phone": null}.';
            } catch {
              rawWrong = "This is no JSON yet.";
            }
          }),
        }), rawWrong && h("span.says.wrong", null, rawWrong)));
  }

  function options() {
    return h("div.options", null,
      h("label.field", null, h("span", null, verb === "discard" ? "Why (recorded)" : "Note (recorded)"), h("input.input", { maxlength: 500, value: note, oninput: (e) => { note = e.target.value; } })),
      verb !== "discard" && h("label.field", null, h("span", null, "Letters a second, at most"), h("input.input", { type: "number", min: 0, step: "any", placeholder: "no limit", value: speed, oninput: (e) => { speed = e.target.value; } })),
      verb === "edit" && h("label.row", null, h("input", { type: "checkbox", checked: replayToo, onchange: (e) => { replayToo = e.target.checked; d.redraw(); } }), "Replay them then"));
  }

  // shown is the preview: how many of each, and some of them.
  function shown() {
    if (wrong) return h("p.notice.fail", { role: "alert" }, wrong);
    if (!ready()) return h("p.soft", null, "Say what is to be changed to see what would happen.");
    if (!seen) return h("p.soft", { role: "status" }, "Looking at each letter…");
    return h("section.stack", { "aria-label": "What would happen" },
      h("h3", null, "What would happen"),
      h("ul.counts", null, wouldCounts(seen.done.would).map((w) => h("li", null, h("span.state", { "class": w.look }, w.n), " ", w.name))),
      h("ul.samples", null, seen.rows.map((r) => h("li", null,
        h("span.state", { "class": wouldLook(r.would) }, wouldName(r.would)),
        h("span", null, h("span.mono", null, r.customer), h("span.soft", null, ` ${r.shop} at ${r.destination}`)),
        r.errors?.length ? h("span.says.wrong", null, r.errors.map((e) => `${e.field} ${e.message}`).join(" · ")) : null))),
      seen.done.selected > seen.rows.length && h("p.soft.small", null, `The first ${count(seen.rows.length)} of ${count(seen.done.selected)}.`));
  }

  function progress() {
    if (running) {
      const part = total ? Math.min(1, running.done / total) : 0;
      return [h("p", { role: "status" }, `${running.verb.doing} ${count(running.done)} of ${count(total)}${speed > 0 ? `, at most ${rate(Number(speed))} a second` : ""}…`),
        h("div.progress", { role: "progressbar", "aria-valuenow": Math.round(part * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": running.verb.doing }, h("i", { style: { "--share": String(part) } }))];
    }
    return [
      wrong && h("p.notice.fail", { role: "alert" }, wrong),
      ended && h("p.notice.good", { role: "status" }, Object.entries(ended).filter(([k, n]) => n || k === v.done).map(([k, n]) => `${count(n)} ${k === "refused" ? verb === "edit" ? "left as they were, since they would stay invalid" : "not queued" : k === "moved" ? "had got another end meanwhile" : k}`).join(" · ") + "."),
      ended?.queued > 0 && h("p.soft", null, "They are sent at the destination's own pace. The list empties as they get through."),
    ];
  }

  function foot(self) {
    if (running) return h("button.button", { type: "button", onclick: () => stop.abort() }, "Stop");
    if (over) return [
      verb === "discard" && ended?.discarded > 0 && h("button.button", { type: "button", onclick: () => { self.close(); api.act("undo", filter, {}).then((u) => { toast(`${many(u.restored ?? 0, "letter")} open again.`); done(); }, ctx.failed); } }, icon("undo"), "Undo"),
      h("button.button.main", { type: "button", onclick: () => self.close() }, "Close")];
    const would = seen?.done.would ?? {};
    const n = { replay: seen?.done.selected, edit: (seen?.done.selected ?? 0) - (would.refuse ?? 0), discard: seen?.done.selected }[verb];
    return [
      h("button.button", { type: "button", onclick: () => self.close() }, "Cancel"),
      h("button.button.main", { type: "button", "class": verb === "discard" ? "bad" : "", disabled: !seen || !n || !ready(), onclick: run },
        seen ? `${v.name}${verb === "edit" && replayToo ? " and replay" : ""} ${many(n, "letter")}` : v.name),
    ];
  }

  const d = dialog(`${v.name} dead letters`, draw, { wide: true });
  d.ended.then(() => { stop.abort(); asked?.abort(); });
  ctx.signal.addEventListener("abort", () => d.close());
  preview();
}
