// A small chart: one line over the last minutes, with what it says in words for
// those who don't see it.
import { s } from "./dom.js";
import { rate } from "./words.js";

const width = 300, height = 34;

// chart draws values, one a second, the newest last; the width stands for as many
// seconds as are known, at least a minute and at most so many.
export function chart(values, most, label) {
  const span = Math.min(most, Math.max(60, values.length));
  const points = Math.min(most / 3, span);
  const known = smooth(values.slice(-span), span / points);
  const top = Math.max(1e-9, ...known);
  const x = (i) => width - (known.length - 1 - i) * width / (points - 1);
  const y = (v) => height - 1.5 - (v / top) * (height - 5);
  const line = known.map((v, i) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("L");
  const says = `${label}: now ${rate(values.at(-1) ?? 0)}, at most ${rate(Math.max(0, ...known))} in the last ${span < 120 ? `${span} seconds` : `${Math.round(span / 60)} minutes`}`;
  return s("svg.chart", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": says },
    s("line.base", { x1: 0, x2: width, y1: height - .5, y2: height - .5 }),
    known.length > 1 && s("path.area", { d: `M${x(0).toFixed(1)} ${height}L${line}L${width} ${height}z` }),
    known.length > 1 && s("path.curve", { d: `M${line}` }));
}

// smooth makes one value of every few, counted from the end, so that the line is
// one that can be read.
function smooth(values, few) {
  const made = [];
  for (let end = values.length; end > 0; end -= few) {
    const part = values.slice(Math.max(0, Math.round(end - few)), Math.max(1, Math.round(end)));
    made.unshift(part.reduce((a, b) => a + b, 0) / part.length);
  }
  return made;
}
