// JSON as lines, so that a line can be marked: at fault, new, or taken away.
import { h } from "./dom.js";

// lines yields {depth, key, path, text, kind} for every line of a value.
function* lines(value, path = [], depth = 0, key, comma = "") {
  const at = { depth, key, path: path.join(".") };
  if (value === null || typeof value !== "object") {
    const kind = value === null ? "z" : typeof value === "string" ? "t" : "n";
    yield { ...at, kind, text: JSON.stringify(value) + comma };
    return;
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const [open, close] = list ? "[]" : "{}";
  if (entries.length === 0) {
    yield { ...at, kind: "z", text: open + close + comma };
    return;
  }
  yield { ...at, kind: "p", text: open };
  for (const [i, [k, v]] of entries.entries()) {
    yield* lines(v, [...path, k], depth + 1, list ? undefined : k, i < entries.length - 1 ? "," : "");
  }
  yield { depth, path: "", kind: "p", text: close + comma };
}

// json shows a value. marks are a class by path ("address.city"); a mark of a
// name without dots also holds for that name at any depth.
export function json(value, marks = {}, label = "JSON") {
  if (typeof value === "string") return h("pre.json", { tabindex: 0, role: "region", "aria-label": label }, h("div.l", null, value));
  const rows = [];
  for (const l of lines(value)) {
    const mark = l.path && (marks[l.path] ?? marks[l.path.split(".").at(-1)]);
    rows.push(h("div.l", { "class": mark || undefined, style: l.depth ? { "--d": String(l.depth * 1.2) } : {} },
      l.key !== undefined && h("span.k", null, JSON.stringify(l.key), ": "), h("span." + l.kind, null, l.text)));
  }
  return h("div.json", { tabindex: 0, role: "region", "aria-label": label }, rows);
}
