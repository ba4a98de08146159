// Icons are lines on a grid of 20, in the colour of the text around them.
import { s } from "./dom.js";

const paths = {
  overview: "M3 10h3l2-5 4 10 2-5h3",
  letters: "M3 5.5h14v9H3zM3.5 6l6.5 5 6.5-5",
  customer: "M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
  workers: "M3.5 4h13v4.5h-13zM3.5 11.5h13V16h-13zM6 6.25h.1M6 13.75h.1",
  actions: "M10 3a7 7 0 1 1-6.3 4M3.5 3.5V7.2h3.7M10 6.5V10l2.5 1.5",
  help: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM8 8.2C8 6.9 8.9 6.2 10 6.2s2 .8 2 1.9c0 1.5-2 1.6-2 3.1M10 13.6h.1",
  search: "M8.5 14a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM12.6 12.6 17 17",
  eye: "M2.5 10S5.2 5 10 5s7.5 5 7.5 5-2.7 5-7.5 5-7.5-5-7.5-5zM10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  replay: "M15.7 8A6 6 0 1 0 16 11.5M16 4v4h-4",
  mend: "M4 16l.8-3.4L13 4.4l2.6 2.6-8.2 8.2zM11.5 6l2.6 2.6",
  discard: "M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5",
  undo: "M7 4 3.5 7.5 7 11M4 7.5h7.5a4.5 4.5 0 0 1 0 9H8",
  pause: "M7 5v10M13 5v10",
  resume: "M6.5 4.5v11l9-5.5z",
  back: "M12 4.5 6.5 10l5.5 5.5",
  next: "M8 4.5 13.5 10 8 15.5",
  close: "M5 5l10 10M15 5 5 15",
  leave: "M8 3.5H4v13h4M8.5 10H17M13.5 6.5 17 10l-3.5 3.5",
};

export function icon(name) {
  return s("svg.icon", { viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d: paths[name] }));
}

// logo is the product's sign.
export function logo() {
  return s("svg.logo", { viewBox: "0 0 32 32", "aria-hidden": "true" },
    s("rect", { width: 32, height: 32, rx: 8 }),
    s("path", { d: "M9.5 12.5h10.2l-2.9-2.9 1.9-1.9 6.1 6.1-6.1 6.1-1.9-1.9 2.9-2.9H9.5z" }),
    s("circle", { cx: 10.4, cy: 22.4, r: 2.6 }));
}

// A state has a shape of its own, so that it is told without colours too.
const shapes = {
  running: () => s("circle", { cx: 6, cy: 6, r: 5 }),
  throttled: () => s("path", { d: "M6 1a5 5 0 0 1 0 10zM6 1.7a4.3 4.3 0 0 0 0 8.6", "class": "half" }),
  outage: () => s("path", { d: "M6 .8 11.6 11H.4z" }),
  blocked: () => s("path", { d: "M1 1h10v10H1z" }),
  paused: () => s("path", { d: "M1.5 1h3.2v10H1.5zM7.3 1h3.2v10H7.3z" }),
  stopped: () => s("circle", { cx: 6, cy: 6, r: 4.2, "class": "ring" }),
};

export function mark(state) {
  return s("svg.mark", { viewBox: "0 0 12 12", "aria-hidden": "true" }, (shapes[state] ?? shapes.stopped)());
}
