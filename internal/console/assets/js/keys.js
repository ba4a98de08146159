// Shortcuts. A page says what its keys do, and ? lists them. Single keys can be
// switched off, since they get in the way of speech input.
import { h } from "./dom.js";
import { dialog } from "./dialog.js";

const off = "custsync.keys.off";
const everywhere = [];
let ofPage = [];
let before = "";

// bind adds keys that hold on every page: {keys: "g d", does, run}.
export function bind(...list) { everywhere.push(...list); }

// page sets the keys of the page that is shown.
export function page(list) { ofPage = list; }

export function listen() {
  addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || document.querySelector("dialog[open]")) return;
    if (e.target.closest?.("input, textarea, select, [contenteditable]")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    if (e.key === "Enter" && e.target.closest?.("a, button, summary")) return; // it is theirs
    if (e.key !== "?" && e.key.length === 1 && localStorage.getItem(off)) return;
    const pressed = before && e.key.length === 1 ? `${before} ${e.key}` : e.key;
    before = "";
    const found = [...ofPage, ...everywhere].find((k) => k.keys.split("|").includes(pressed));
    if (found) {
      e.preventDefault();
      found.run(e);
    } else if (e.key === "g") {
      before = "g";
      setTimeout(() => { before = ""; }, 1500);
    }
  });
}

const names = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc", " ": "Space" };

const listed = (list) => list.filter((k) => k.does).map((k) => [
  h("dt", null, k.keys.split("|")[0].split(" ").map((one) => h("kbd", null, names[one] ?? one))),
  h("dd", null, k.does),
]);

// help shows the keys.
export function help() {
  dialog("Keyboard", (d) => ({
    body: [
      ofPage.length > 0 && h("section.stack", null, h("h3", null, "On this page"), h("dl.keys", null, listed(ofPage))),
      h("section.stack", null, h("h3", null, "Everywhere"), h("dl.keys", null, listed(everywhere))),
      h("label.row", null, h("input", {
        type: "checkbox", checked: !localStorage.getItem(off),
        onchange: (e) => { e.target.checked ? localStorage.removeItem(off) : localStorage.setItem(off, "1"); },
      }), "Single keys work (switch off for speech input)"),
    ],
    foot: h("button.button.main", { type: "button", onclick: () => d.close() }, "Close"),
  }));
}
