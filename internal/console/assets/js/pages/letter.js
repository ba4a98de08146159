// One dead letter: what was sent and what the provider said to it, a correction
// that is checked while it is typed, and what becomes of it.
import { ago, many, reasonName, whenOf } from "../words.js";
import { around, letterAddress } from "./letters.js";
import { at, flat, known, patch, shown, source } from "../mend.js";
import { wouldLook, wouldName } from "../would.js";
import { api } from "../api.js";
import { became, outcome, refusal, request } from "./letter_parts.js";
import { ask, toast } from "../dialog.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";

export const title = "Dead letter";

export function open(ctx) {
  const [destination, shop, customer] = ctx.parts;
  const id = { destination, shop, customer };
  const near = around(id);
  // seen is the letter that a person looks at, and no later one of the customer.
  const seen = () => ({ ...id, up_to: letter.up_to });
  let letter, gone = "", grant, verdict, checking = false, busy = false, fate = null;
  let changes = {}, raw = null, rawWrong = "", extra = [], all = false;

  // base is what a correction is laid upon: the data as published, or as it was
  // corrected before.
  const base = () => letter.edit?.customer ?? letter.event?.data;
  const made = () => raw !== null ? raw.value : patch(changes, base());
  const changed = () => raw !== null ? !rawWrong && Object.keys(raw.value).length > 0 : Object.keys(changes).length > 0;

  async function load() {
    try {
      letter = await api.letter(id, { signal: ctx.signal, grant });
      gone = "";
    } catch (err) {
      if (err.name === "AbortError") return;
      if (err.status !== 404) return ctx.failed(err);
      gone = err.message;
    }
    draw();
    if (letter && !gone) check();
  }

  // check asks what would become of the letter now, with what is typed.
  let asked, timer;
  function check() {
    asked?.abort();
    asked = new AbortController();
    ctx.signal.addEventListener("abort", () => asked.abort());
    clearTimeout(timer);
    const { signal } = asked;
    if (rawWrong) return draw();
    checking = true;
    draw();
    timer = setTimeout(async () => {
      try {
        const { rows } = changed()
          ? await api.preview("edit", seen(), 1, { body: { patch: made() }, signal, grant })
          : await api.preview("replay", seen(), 1, { signal, grant });
        verdict = rows[0] ?? { would: "moved" };
      } catch (err) {
        if (err.name === "AbortError") return;
        if (err.status === 401) return ctx.failed(err);
        verdict = { would: "", message: err.message, errors: err.errors };
      }
      checking = false;
      draw();
    }, 250);
  }

  async function unmask() {
    if (!letter.masked || busy) return;
    try {
      letter = await api.unmask(id, "");
      grant = letter.grant;
      toast("Personal fields are shown. This is recorded.");
      check();
    } catch (err) {
      ctx.failed(err);
    }
  }

  async function act(doing) {
    if (busy) return;
    busy = true;
    draw();
    try {
      await doing();
    } catch (err) {
      if (err.errors?.length) verdict = { would: "refuse", errors: err.errors };
      if (err.status === 404) await load();
      ctx.failed(err);
    }
    busy = false;
    draw();
  }

  const mend = (andReplay) => act(async () => {
    if (rawWrong) return;
    if (changed()) {
      const done = await api.act("edit", seen(), { body: { patch: made() }, signal: ctx.signal, grant });
      if (!done.edited) return check();
      changes = {}, raw = null, extra = [];
      letter = await api.letter(id, { signal: ctx.signal, grant });
    }
    if (andReplay) await replayNow();
    else {
      toast("The correction is kept with the letter. Replay sends it.");
      check();
    }
  });

  const takeBack = () => act(async () => {
    await api.act("edit", seen(), { body: { patch: null }, signal: ctx.signal });
    letter = await api.letter(id, { signal: ctx.signal, grant });
    toast("The correction is taken back.");
    check();
  });

  async function replayNow() {
    const before = letter.last_at;
    const done = await api.act("replay", seen(), { signal: ctx.signal });
    if (!done.queued) return load();
    fate = { state: "queued", since: Date.now() };
    draw();
    follow(before);
  }

  // follow looks until the customer has an end at the destination.
  async function follow(before) {
    const begun = Date.now();
    while (!ctx.signal.aborted && Date.now() - begun < 120_000) {
      await new Promise((r) => setTimeout(r, 700));
      let place;
      try {
        const st = await api.customer(shop, customer, { signal: ctx.signal });
        place = st.destinations.find((d) => d.name === destination);
      } catch (err) {
        if (err.name === "AbortError" || ctx.signal.aborted) return;
        continue;
      }
      const end = place?.ledger.settled;
      if (place && !["dead", "waiting", "retrying", "in_doubt"].includes(place.state)) {
        fate = { state: "good", place, end };
        return draw();
      }
      if (place?.state === "dead" && end) {
        const now = await api.letter(id, { signal: ctx.signal, grant }).catch(() => null);
        if (now && now.last_at !== before) {
          letter = now, fate = { state: "again" };
          return check();
        }
      }
      fate = { state: "queued", since: begun, place };
      draw();
    }
  }

  async function discard() {
    if (busy || !letter || gone) return;
    const note = await ask("Discard this letter?", {
      says: h("p", null, `${destination} keeps what it has of ${customer} until a newer version comes. The letter can be opened again.`),
      label: "Why (recorded)", hint: "a test customer", action: "Discard", look: "bad main",
    });
    if (note === undefined) return;
    await act(async () => {
      await api.act("discard", seen(), { body: { note }, signal: ctx.signal });
      toast(`The letter of ${customer} is discarded.`, {
        action: "Undo", onaction: () => api.act("undo", id, {}).then(() => { toast("It is open again."); ctx.go(letterAddress(id)); }, ctx.failed),
      });
      ctx.go(near.after ? letterAddress(near.after) : near.back);
    });
  }

  const step = (to) => to && ctx.go(letterAddress(to));

  function draw() {
    const open = letter && !gone && !["good"].includes(fate?.state);
    ctx.keys([
      ...(open ? [
        { keys: "e", does: "Mend: to the first field", run: () => document.querySelector(".fields .input, .patch .input")?.focus() },
        { keys: "r", does: "Replay, with the correction if there is one", run: () => mend(true) },
        { keys: "d", does: "Discard…", run: discard },
        { keys: "m", does: "Show personal fields (recorded)", run: unmask },
      ] : []),
      { keys: "j|n", does: "Next letter", run: () => step(near.after) },
      { keys: "k|p", does: "Letter before", run: () => step(near.before) },
      { keys: "u|Escape", does: "Back to the list", run: () => ctx.go(near.back) },
    ]);
    ctx.show(
      h("nav.crumbs", { "aria-label": "Letters" },
        h("a.button.small.plain", { href: near.back }, icon("back"), "Dead letters"),
        near.before && h("a.button.small.plain", { href: letterAddress(near.before), "aria-label": "Letter before" }, icon("back"), "Before"),
        near.after && h("a.button.small.plain", { href: letterAddress(near.after), "aria-label": "Next letter" }, "Next", icon("next"))),
      h("div.top", null,
        h("div", null,
          h("h1", { tabindex: -1 }, h("span.mono", null, customer), h("span.soft", null, ` of ${shop}`)),
          letter && h("p.sub", null,
            h("span.state", { "class": open ? "stop" : "off" }, reasonName(letter.reason)), " at ", h("strong", null, destination),
            ` · version ${letter.version || "unknown"} · `, h("span", { title: whenOf(letter.last_at) }, ago(letter.last_at)))),
        h("div.acts", null,
          letter?.masked && h("button.button", { type: "button", onclick: unmask, title: "Recorded under your name" }, icon("eye"), "Show personal fields"),
          h("a.button", { href: `#/customer/${encodeURIComponent(shop)}/${encodeURIComponent(customer)}` }, icon("customer"), "Customer"),
          open && h("button.button.bad", { type: "button", onclick: discard, disabled: busy }, icon("discard"), "Discard…"))),
      fate && became(fate, destination, ctx.live.status, near.after),
      gone && fate?.state !== "good" && h("div.card.empty", null, h("strong", null, "This letter is not open"), "A newer version got through, or somebody discarded it. ",
        h("a", { href: `#/customer/${encodeURIComponent(shop)}/${encodeURIComponent(customer)}` }, "Where the customer is now"), "."),
      !letter && !gone && h("p.empty", null, "Fetching the letter…"),
      letter && !gone && [h("div.pair", null, refusal(letter), request(letter)), open && correction()]);
  }

  function correction() {
    const data = base();
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
          h("button.tab", { type: "button", "aria-pressed": String(raw === null), onclick: () => { raw = null, rawWrong = ""; check(); } }, "Fields"),
          h("button.tab", { type: "button", "aria-pressed": String(raw !== null), onclick: () => { raw ??= { value: made(), text: JSON.stringify(made(), null, 2) }; draw(); } }, "JSON patch"))),
      letter.edit && h("p.notice.good", { "class": "flat" }, h("span.grow", null, `Mended ${letter.edit.by ? `by ${letter.edit.by} ` : ""}${ago(letter.edit.at)}${letter.edit.note ? `: “${letter.edit.note}”` : ""}. What you type comes on top.`),
        h("button.button.small", { type: "button", onclick: takeBack, disabled: busy }, "Take back")),
      h("form.halves", { onsubmit: (e) => { e.preventDefault(); mend(true); } },
        h("div.fields", null,
          raw !== null ? rawPatch() : [
            first.map((p) => input(p, data, wrong)),
            visible.map((p) => input(p, data, wrong)),
            h("div.row", null,
              (all || rest.length > visible.length) && h("button.button.small.plain", { type: "button", "aria-expanded": String(all), onclick: () => { all = !all; draw(); } }, all ? "Fewer fields" : many(rest.length - visible.length, "more field")),
              h("label", null, h("span.seen-by-readers", null, "Add a field"),
                h("select.input.small", { value: "", onchange: (e) => { if (e.target.value) extra.push(e.target.value), draw(); } },
                  h("option", { value: "" }, "Add a field…"), known.filter((p) => at(data, p) === undefined && !first.includes(p)).map((p) => h("option", { value: p }, p))))),
            h("p.says", null, letter.masked ? "Personal fields are masked; type over one to replace it. " : "", "An emptied field is left out: the provider keeps what it has."),
          ]),
        h("div.outcome", null, outcome(letter, verdict, checking))),
      h("footer.bar", null,
        h("span.grow", { role: "status" }, verdictLine()),
        changed() && h("button.button", { type: "button", onclick: () => mend(false), disabled: busy || verdict?.would === "refuse" }, "Keep the correction"),
        h("button.button", { type: "button", id: "replay", "class": changed() || verdict?.would !== "refuse" ? "main" : "", onclick: () => mend(true), disabled: busy || Boolean(rawWrong) || changed() && verdict?.would === "refuse" },
          icon("replay"), changed() ? "Mend and replay" : letter.edit ? "Replay the corrected row" : "Replay as it is")));
  }

  function input(path, data, wrong) {
    const before = at(data, path);
    const masked = letter.masked && (typeof before === "string" || before !== null && typeof before === "object");
    const value = path in changes ? changes[path] : masked ? "" : shown(before);
    const says = wrong.get(path);
    const name = "field-" + path;
    return h("div.field", { key: path },
      h("label", { "for": name }, path),
      h("div.with", null,
        h("input.input", {
          id: name, value, placeholder: masked ? shown(before) : before === null ? "cleared" : before === undefined ? "not in the event" : "left out", spellcheck: "false", autocomplete: "off",
          "class": `${says && !checking ? "wrong" : ""} ${path in changes ? "changed" : ""}`, "aria-invalid": says ? "true" : null, "aria-describedby": says ? name + "-says" : null,
          oninput: (e) => {
            if (e.target.value === (masked ? "" : shown(before))) delete changes[path];
            else changes[path] = e.target.value;
            check();
          },
        }),
        masked && !(path in changes) && h("button.button.small.plain", { type: "button", title: "Leave the field out", "aria-label": `Leave ${path} out`, onclick: () => { changes[path] = ""; check(); } }, icon("close")),
        path in changes && h("button.button.small.plain", { type: "button", title: "As it was", "aria-label": `${path} as it was`, onclick: () => { delete changes[path]; const el = document.getElementById(name); el.value = masked ? "" : shown(before); check(); } }, icon("undo"))),
      says && h("p.says.wrong", { id: name + "-says" }, says));
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
          check();
        },
      }),
      rawWrong && h("span.says.wrong", null, rawWrong));
  }

  function verdictLine() {
    if (rawWrong || !verdict) return null;
    if (checking) return h("span.says", null, "Looking…");
    if (verdict.would === "refuse") {
      const others = (verdict.errors ?? []).filter((e) => !(e.path ?? e.field));
      return h("span.says.wrong", null, verdict.errors?.length ? `Still invalid: ${many(verdict.errors.length, "fault")}.` : "Still invalid.", others.map((e) => " " + e.message), !verdict.errors?.length && verdict.message ? " " + verdict.message : "");
    }
    if (!verdict.would) return h("span.says.wrong", null, verdict.message);
    return h("span.says", { "class": wouldLook(verdict.would) === "good" ? "right" : "" }, capital(wouldName(verdict.would)) + ".",
      !changed() && !letter.edit && letter.reason === "rejected" && verdict.would === "send" ? " The provider may refuse it again." : "");
  }

  load();
  // Somebody else, or a newer version, may close it.
  let seenLetters = ctx.live.letters;
  ctx.live.on((l) => {
    if (l.letters === seenLetters || busy || fate?.state === "queued" || fate?.state === "good") return;
    seenLetters = l.letters;
    if (letter && !changed()) api.letter(id, { signal: ctx.signal, grant }).then((now) => { letter = now; draw(); }, (err) => { if (err.status === 404) gone = err.message, draw(); });
  }, ctx.signal);
}

const capital = (s) => s[0].toUpperCase() + s.slice(1);
