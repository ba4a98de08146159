// The form that corrects a dead letter's customer: field by field or as a JSON merge
// patch, with what would be sent beside it.
import { ago, many } from "../words.js";
import { at, flat, known, patch, shown, source } from "../mend.js";
import { wouldLook, wouldName } from "../would.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { outcome } from "./letter_parts.js";

// correction keeps what is typed for the letter that of() gives. typed is told of every
// change, draw that the form looks otherwise, mend and takeBack are its buttons.
export function correction({ of, destination, typed, draw, mend, takeBack }) {
  let changes = {}, raw = null, rawWrong = "", extra = [], all = false;

  // base is what a correction is laid upon: the data as published, or as it was
  // corrected before.
  const base = () => of().edit?.customer ?? of().event?.data;
  const made = () => raw !== null ? raw.value : patch(changes, base());
  const changed = () => raw !== null ? !rawWrong && Object.keys(raw.value).length > 0 : Object.keys(changes).length > 0;
  const forget = () => { changes = {}, raw = null, extra = []; };

  // view is the form. now is what its page knows: {verdict, checking, busy}.
  function view({ verdict, checking, busy }) {
    const letter = of(), data = base();
    if (!data || typeof data !== "object") {
      return h("section.card.mend", null, h("header", null, h("h2", null, "Mend")), h("p.body.soft", null, "What was published can't be read as a customer, so there is nothing to correct here. Have the shop publish it again."));
    }
    const errors = verdict?.errors ?? [];
    const wrong = new Map(errors.map((e) => [source(e) ?? e.field, e.message]));
    const first = [...new Set([...wrong.keys(), ...letter.errors.map(source), ...extra].filter((p) => p && (known.includes(p) || at(data, p) !== undefined)))];
    const rest = flat(data).map(([path]) => path).filter((p) => !first.includes(p));
    const few = first.length ? 0 : 5; // of which nobody knows whether they are at fault
    const visible = all ? rest : rest.filter((p, i) => i < few || p in changes);
    return h("section.card.mend", { "aria-labelledby": "mend" },
      h("header", null, h("h2", { id: "mend" }, "Mend"), h("span.soft.small", null, `for ${destination} only, kept with the letter`), h("span.grow"),
        h("div.tabs", { role: "group", "aria-label": "How to mend" },
          h("button.tab", { type: "button", "aria-pressed": String(raw === null), onclick: () => { raw = null, rawWrong = ""; typed(); } }, "Fields"),
          h("button.tab", { type: "button", "aria-pressed": String(raw !== null), onclick: () => { raw ??= { value: made(), text: JSON.stringify(made(), null, 2) }; draw(); } }, "JSON patch"))),
      letter.edit && h("p.notice.good", { "class": "flat" }, h("span.grow", null, `Mended ${letter.edit.by ? `by ${letter.edit.by} ` : ""}${ago(letter.edit.at)}${letter.edit.note ? `: “${letter.edit.note}”` : ""}. What you type comes on top.`),
        h("button.button.small", { type: "button", onclick: takeBack, disabled: busy }, "Take back")),
      h("form.halves", { onsubmit: (e) => { e.preventDefault(); mend(true); } },
        h("div.fields", null,
          raw !== null ? rawPatch() : [
            first.map((p) => input(p, data, wrong, checking)),
            visible.map((p) => input(p, data, wrong, checking)),
            h("div.row", null,
              (all || rest.length > visible.length) && h("button.button.small.plain", { type: "button", "aria-expanded": String(all), onclick: () => { all = !all; draw(); } }, all ? "Fewer fields" : many(rest.length - visible.length, "more field")),
              h("label", null, h("span.seen-by-readers", null, "Add a field"),
                h("select.input.small", { value: "", onchange: (e) => { if (e.target.value) extra.push(e.target.value), draw(); } },
                  h("option", { value: "" }, "Add a field…"), known.filter((p) => at(data, p) === undefined && !first.includes(p)).map((p) => h("option", { value: p }, p))))),
            h("p.says", null, letter.masked ? "Personal fields are masked; type over one to replace it. " : "", "An emptied field is left out: the provider keeps what it has."),
          ]),
        h("div.outcome", null, outcome(letter, verdict, checking))),
      h("footer.bar", null,
        h("span.grow", { role: "status" }, says(verdict, checking)),
        changed() && h("button.button", { type: "button", onclick: () => mend(false), disabled: busy || verdict?.would === "refuse" }, "Keep the correction"),
        h("button.button", { type: "button", id: "replay", "class": changed() || verdict?.would !== "refuse" ? "main" : "", onclick: () => mend(true), disabled: busy || Boolean(rawWrong) || changed() && verdict?.would === "refuse" },
          icon("replay"), changed() ? "Mend and replay" : letter.edit ? "Replay the corrected row" : "Replay as it is")));
  }

  function input(path, data, wrong, checking) {
    const before = at(data, path);
    const masked = of().masked && (typeof before === "string" || before !== null && typeof before === "object");
    const value = path in changes ? changes[path] : masked ? "" : shown(before);
    const fault = wrong.get(path);
    const name = "field-" + path;
    return h("div.field", { key: path },
      h("label", { "for": name }, path),
      h("div.with", null,
        h("input.input", {
          id: name, value, placeholder: masked ? shown(before) : before === null ? "cleared" : before === undefined ? "not in the event" : "left out", spellcheck: "false", autocomplete: "off",
          "class": `${fault && !checking ? "wrong" : ""} ${path in changes ? "changed" : ""}`, "aria-invalid": fault ? "true" : null, "aria-describedby": fault ? name + "-says" : null,
          oninput: (e) => {
            if (e.target.value === (masked ? "" : shown(before))) delete changes[path];
            else changes[path] = e.target.value;
            typed();
          },
        }),
        masked && !(path in changes) && h("button.button.small.plain", { type: "button", title: "Leave the field out", "aria-label": `Leave ${path} out`, onclick: () => { changes[path] = ""; typed(); } }, icon("close")),
        path in changes && h("button.button.small.plain", { type: "button", title: "As it was", "aria-label": `${path} as it was`, onclick: () => { delete changes[path]; const el = document.getElementById(name); el.value = masked ? "" : shown(before); typed(); } }, icon("undo"))),
      fault && h("p.says.wrong", { id: name + "-says" }, fault));
  }

  function rawPatch() {
    return h("label.field.patch", { key: "patch" }, h("span", null, "JSON merge patch (RFC 7396) of the event's data"),
      h("textarea.input", {
        "class": rawWrong ? "wrong" : "", spellcheck: "false", rows: 8, value: raw.text,
        oninput: (e) => {
          raw.text = e.target.value;
          try {
            raw.value = raw.text.trim() ? JSON.parse(raw.text) : {};
            rawWrong = raw.value && typeof raw.value === "object" && !Array.isArray(raw.value) ? "" : 'It has to be an object, such as {"phone": "+48221234567"}.';
          } catch {
            rawWrong = "This is no JSON yet.";
          }
          typed();
        },
      }),
      rawWrong && h("span.says.wrong", null, rawWrong));
  }

  // says is the verdict in words.
  function says(verdict, checking) {
    const letter = of();
    if (rawWrong || !verdict) return null;
    if (checking) return h("span.says", null, "Looking…");
    if (verdict.would === "refuse") {
      const others = (verdict.errors ?? []).filter((e) => !(e.path ?? e.field));
      return h("span.says.wrong", null, verdict.errors?.length ? `Still invalid: ${many(verdict.errors.length, "fault")}.` : "Still invalid.", others.map((e) => " " + e.message), !verdict.errors?.length && verdict.message ? " " + verdict.message : "");
    }
    if (!verdict.would) return h("span.says.wrong", null, verdict.message);
    // Once more might be one too many, or as vain as before.
    const sent = verdict.would === "send", doubt = sent && letter.reason === "in_doubt";
    return h("span.says", { "class": wouldLook(verdict.would) === "good" && !doubt ? "right" : "" }, capital(wouldName(verdict.would)) + ".",
      doubt ? " The provider may have the customer already: look there first." : sent && !changed() && !letter.edit && letter.reason === "rejected" ? " The provider may refuse it again." : "");
  }

  return { view, made, changed, forget, readable: () => !rawWrong };
}

const capital = (s) => s[0].toUpperCase() + s.slice(1);
