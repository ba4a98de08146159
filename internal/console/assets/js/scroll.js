// A list of any length: only the rows that can be seen are in the page, and more
// are fetched as a person comes near the end of those that are known.
import { h, show } from "./dom.js";

// scroller makes the list. row(item, index, active) draws one of height pixels;
// more(n) is called when the nth is about to be needed; open(item) when one is chosen.
export function scroller({ label, height, row, more, open }) {
  const rows = h("div.rows", { role: "presentation" });
  const el = h("div.scroller", { key: "scroller", keep: true, role: "listbox", tabindex: 0, "aria-label": label }, rows);
  let items = [], total = 0, active = -1, drawn = "";

  function draw() {
    const size = height();
    const first = Math.max(0, Math.floor(el.scrollTop / size) - 6);
    const last = Math.min(items.length, Math.ceil((el.scrollTop + el.clientHeight) / size) + 6);
    rows.style.setProperty("height", `${size * Math.max(total, items.length)}px`);
    const list = [];
    for (let i = first; i < last; i++) {
      const made = row(items[i], i, i === active);
      made.key = i;
      made.id = `row-${i}`;
      made.setAttribute("role", "option");
      made.setAttribute("aria-selected", String(i === active));
      made.setAttribute("aria-posinset", String(i + 1));
      made.setAttribute("aria-setsize", String(total || -1));
      made.style.setProperty("transform", `translateY(${i * size}px)`);
      made.style.setProperty("height", `${size}px`);
      made.onclick = (e) => { if (!e.target.closest("a, button")) { active = i; open(items[i], i); } };
      (made.heard ??= []).push("onclick");
      list.push(made);
    }
    show(rows, list);
    const now = `row-${active}`;
    if (active >= first && active < last) el.setAttribute("aria-activedescendant", now);
    else el.removeAttribute("aria-activedescendant");
    if (last >= items.length - 40) more(items.length);
  }

  function go(to) {
    if (!items.length) return;
    active = Math.min(items.length - 1, Math.max(0, to));
    const size = height(), top = active * size;
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + size > el.scrollTop + el.clientHeight) el.scrollTop = top + size - el.clientHeight;
    draw();
  }

  el.onscroll = draw;
  el.onkeydown = (e) => {
    const size = Math.max(1, Math.floor(el.clientHeight / height()) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + size, PageUp: active - size, Home: 0, End: items.length - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      go(to);
    } else if (e.key === "Enter" && items[active]) {
      e.preventDefault();
      open(items[active], active);
    }
  };
  const seen = new ResizeObserver(draw);
  seen.observe(el);

  return {
    el,
    set(list, all) { items = list; total = all; active = Math.min(active, items.length - 1); draw(); },
    draw,
    step(by) { el.focus({ preventScroll: true }); go(active + by); },
    openActive() { if (items[active]) open(items[active], active); },
    place() { return { top: el.scrollTop, active }; },
    back(to) { active = to.active; draw(); el.scrollTop = to.top; draw(); },
    end() { seen.disconnect(); },
  };
}
