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
// them, what in words (empty: all), doubt of them in doubt, one as an example.
export function bulk(verb, { filter, total, what, doubt, example, ctx, done }) {
  const v = verbs[verb];
  const guess = example?.errors.map(source).find(Boolean);
  let changes = guess ? { [guess]: "" } : {};
  let raw = null, rawWrong = "", note = "", speed = "", replayToo = true;
  let seen = null, wrong = "", running = null, over = false, asked, stop;
  // What is done of it: the step that is under way, how it began, what became of all.
  let step = 0, begun = null, ended = {}, unsure = false, more = false;
  const runs = new Set();

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

  // select keeps to the letters of the preview. A replay goes on where it was cut
  // short; what was mended or discarded before is not open, or not changed, again.
  const select = () => begun?.run && running.verb === verbs.replay ? { resume: begun.run } : { ...filter, up_to: seen.done.up_to };

  function heard(l) {
    if (l.began) begun = l.began;
    if (l.progress) running.done = l.progress.done, d.redraw();
  }

  function tally({ done, did }, result) {
    ended[done] = (result.queued_before ?? ended[done] ?? 0) + (result[did] ?? 0);
    if (result.queued_before) unsure = false;
    for (const k of ["refused", "moved"]) ended[k] = (ended[k] ?? 0) + (result[k] ?? 0);
    if (result.run) runs.add(result.run);
  }

  async function run() {
    try {
      await api.known();
    } catch {
      return;
    }
    const steps = verb === "edit" && replayToo ? ["edit", "replay"] : [verb];
    stop = new AbortController();
    over = more = false, wrong = "";
    try {
      for (; step < steps.length; step++, begun = null) {
        running = { done: 0, verb: verbs[steps[step]] };
        d.redraw();
        if (steps[step] !== verb && !ended.mended) continue; // nothing was mended
        tally(running.verb, await api.act(steps[step], select(), { body: steps[step] === "edit" ? body() : { note }, rate: speed, signal: stop.signal, heard }));
      }
    } catch (err) {
      // What is known of a part that told no end is how far it was.
      tally(running.verb, err.done ?? { [running.verb.did]: running.done, run: begun?.run });
      unsure ||= !err.done;
      more = !(err.status >= 400 && err.status < 500);
      wrong = err.name === "AbortError" ? "Stopped. What was done until then is done." : err.message;
    }
    running = null, over = true;
    d.redraw();
    done();
  }

  function draw(self) {
    if (over || running) return { body: progress(), foot: foot(self) };
    return { body: [h("p", null, h("strong", null, many(total, "letter")), what ? ` ${what}.` : ", all that are open."), says(), doubt > 0 && verb !== "discard" && inDoubt(), verb === "edit" && fields(), options(), shown()], foot: foot(self) };
  }

  function says() {
    return h("p.soft", null, {
      replay: "Each customer's newest state is delivered, to its destination only. A newer version is never overwritten.",
      edit: "The correction is kept with each letter and sent to its destination only. Letters that it would leave invalid are not changed.",
      discard: "The destinations keep what they have of these customers until a newer version comes. Letters can be opened again.",
    }[verb]);
  }

  // inDoubt warns of what a replay may create once more.
  function inDoubt() {
    return h("p.notice.stop", { role: "note" }, h("span", null, h("strong", null, `${many(doubt, "letter")} in doubt. `), "They may be at the provider already, and replaying them says that you have looked there. Select another reason to leave them out."));
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
      Object.keys(ended).length > 0 && h("p.notice", { role: "status", "class": wrong ? "" : "good" }, unsure && "At least: ", Object.entries(ended).filter(([k, n]) => n || k === v.done).map(([k, n]) => `${count(n)} ${k === "refused" ? verb === "edit" ? "left as they were, since they would stay invalid" : "not queued" : k === "moved" ? "had got another end meanwhile" : k}`).join(" · ") + "."),
      ended.queued > 0 && h("p.soft", null, "They are sent at the destination's own pace. The list empties as they get through."),
    ];
  }

  function foot(self) {
    if (running) return h("button.button", { type: "button", onclick: () => stop.abort() }, "Stop");
    if (over) return [
      runs.size > 0 && verb === "discard" && h("button.button", { type: "button", onclick: () => { self.close(); undo().then(done, ctx.failed); } }, icon("undo"), "Undo"),
      h("button.button", { type: "button", "class": more ? "" : "main", onclick: () => self.close() }, "Close"),
      more && h("button.button.main", { type: "button", onclick: run }, "Go on")];
    const would = seen?.done.would ?? {};
    const n = { replay: seen?.done.selected, edit: (seen?.done.selected ?? 0) - (would.refuse ?? 0), discard: seen?.done.selected }[verb];
    return [
      h("button.button", { type: "button", onclick: () => self.close() }, "Cancel"),
      h("button.button.main", { type: "button", "class": verb === "discard" ? "bad" : "", disabled: !seen || !n || !ready(), onclick: run },
        seen ? `${v.name}${verb === "edit" && replayToo ? " and replay" : ""} ${many(n, "letter")}` : v.name),
    ];
  }

  // undo opens just what was discarded here.
  async function undo() {
    let n = 0;
    for (const run of runs) n += (await api.act("undo", { run }, {})).restored;
    toast(`${many(n, "letter")} open again.`);
  }

  const d = dialog(`${v.name} dead letters`, draw, { wide: true });
  d.ended.then(() => { stop?.abort(); asked?.abort(); });
  ctx.signal.addEventListener("abort", () => d.close());
  preview();
}
