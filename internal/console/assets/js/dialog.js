// What lies over a page for a moment: dialogs and toasts.
import { h, show } from "./dom.js";
import { icon } from "./icons.js";

// dialog opens one whose content draw() makes; redraw() makes it anew. It is gone
// when close() is called or a person leaves it, and then ended is resolved.
export function dialog(title, draw, { wide = false } = {}) {
  const el = h("dialog", { "class": wide ? "wide" : "", "aria-label": title });
  let end;
  const ended = new Promise((resolve) => { end = resolve; });
  const self = {
    ended,
    close(value) {
      self.value = value;
      el.close();
    },
    redraw() {
      if (!el.isConnected) return;
      const { body, foot } = draw(self);
      show(el,
        h("header", null, h("h2", null, title),
          h("button.button.plain", { type: "button", "aria-label": "Close", onclick: () => self.close() }, icon("close"))),
        h("div.body", null, body),
        foot && h("footer", null, foot));
    },
  };
  el.onclose = () => {
    el.remove();
    end(self.value);
  };
  document.body.append(el);
  self.redraw();
  el.showModal();
  (el.querySelector("[autofocus]") ?? el.querySelector(".body input, .body textarea, footer .main") ?? el).focus();
  return self;
}

// ask is a dialog with a note and a button that does it; resolves to the note, or
// to undefined when the person leaves.
export function ask(title, { says, label = "Note", hint = "", required = false, action, look = "main" }) {
  let note = "";
  const submit = (d) => (e) => {
    e.preventDefault();
    if (!required || note.trim()) d.close(note.trim());
  };
  return dialog(title, (d) => ({
    body: [
      says,
      h("form", { id: "ask", onsubmit: submit(d) },
        h("label.field", null, h("span", null, label),
          h("input.input", { value: note, placeholder: hint, autofocus: true, maxlength: 500, oninput: (e) => { note = e.target.value; d.redraw(); } }))),
    ],
    foot: [
      h("button.button", { type: "button", onclick: () => d.close() }, "Cancel"),
      h("button.button.main", { "class": look, type: "submit", form: "ask", disabled: required && !note.trim() }, action),
    ],
  })).ended;
}

let shelf;

// toast tells what became of something, with a button for what may follow.
export function toast(text, { bad = false, action, onaction, stays = false } = {}) {
  if (!shelf?.isConnected) {
    shelf = h("div.toasts", { role: "status", "aria-live": "polite" });
    document.body.append(shelf);
  }
  const el = h("div.toast", { "class": bad ? "bad" : "" }, h("span.grow", null, text),
    action && h("button.button.small", { type: "button", onclick: () => { el.remove(); onaction(); } }, action),
    h("button.button.plain.small", { type: "button", "aria-label": "Close", onclick: () => el.remove() }, icon("close")));
  shelf.append(el);
  while (shelf.children.length > 3) shelf.firstChild.remove();
  // Time enough to read, and to reach the button.
  if (!stays) setTimeout(() => { if (!el.matches(":hover, :focus-within")) el.remove(); }, bad ? 15000 : action ? 12000 : 6000);
}
