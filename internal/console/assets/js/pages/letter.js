// One dead letter: what was sent and what the provider said to it, a correction
// that is checked while it is typed, and what becomes of it.
import { ago, reasonName, whenOf } from "../words.js";
import { around, letterAddress } from "./letters.js";
import { became, refusal, request } from "./letter_parts.js";
import { api } from "../api.js";
import { ask, toast } from "../dialog.js";
import { correction } from "./correction.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";

export const title = "Dead letter";

export function open(ctx) {
  const [destination, shop, customer] = ctx.parts;
  const id = { destination, shop, customer };
  const near = around(id);
  // seen is the letter that a person looks at, and no later one of the customer.
  const seen = () => ({ ...id, up_to: letter.up_to });
  let letter, gone = "", later = false, grant, verdict, checking = false, busy = false, fate = null;
  const typing = correction({ of: () => letter, destination, typed: () => check(), draw: () => draw(), mend: (andReplay) => mend(andReplay), takeBack: () => takeBack() });

  async function load() {
    try {
      letter = await api.letter(id, { signal: ctx.signal, grant });
      gone = "", later = false;
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
    if (!typing.readable()) return draw();
    checking = true;
    draw();
    timer = setTimeout(async () => {
      try {
        const { rows } = typing.changed()
          ? await api.preview("edit", seen(), 1, { body: { patch: typing.made() }, signal, grant })
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
    if (!typing.readable()) return;
    if (typing.changed()) {
      const done = await api.act("edit", seen(), { body: { patch: typing.made() }, signal: ctx.signal, grant });
      if (!done.edited) return check();
      typing.forget();
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
      later && open && h("p.notice.stop", { role: "alert" }, h("span.grow", null, h("strong", null, "A later letter has come. "), "What you see is the one before, and nothing more can be done to it. What you typed is kept."),
        h("button.button.small", { type: "button", onclick: load }, "Show it")),
      gone && fate?.state !== "good" && h("div.card.empty", null, h("strong", null, "This letter is not open"), "A newer version got through, or somebody discarded it. ",
        h("a", { href: `#/customer/${encodeURIComponent(shop)}/${encodeURIComponent(customer)}` }, "Where the customer is now"), "."),
      !letter && !gone && h("p.empty", null, "Fetching the letter…"),
      letter && !gone && [h("div.pair", null, refusal(letter), request(letter)), open && typing.view({ verdict, checking, busy })]);
  }

  // look sees whether the letter is still the one that is open. What somebody types
  // over is not taken from under their hands.
  async function look() {
    try {
      const now = await api.letter(id, { signal: ctx.signal, grant });
      const other = now.up_to !== letter.up_to;
      gone = "", later = other && typing.changed();
      if (!later) letter = now;
      if (other && !later) return check();
    } catch (err) {
      if (err.status !== 404) return;
      gone = err.message;
    }
    draw();
  }

  load();
  // Somebody else, or a newer version, may close it.
  let seenLetters = ctx.live.letters;
  ctx.live.on((l) => {
    if (l.letters === seenLetters || busy || fate?.state === "queued" || fate?.state === "good") return;
    seenLetters = l.letters;
    if (letter) look();
  }, ctx.signal);
}
