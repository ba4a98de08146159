// The page is a function of what is known: a view builds its whole tree anew,
// and patch brings the page in line with it. What a person does meanwhile stays:
// focus, selection, scrolling, what is typed into a field.

const SVG = "http://www.w3.org/2000/svg";

// h makes an element: h("div.card", {onclick, key}, child, [children], "text").
// A child that is null, false or undefined is left out. Properties:
//   on…      a listener, moved along by patch
//   key      tells siblings apart when their order changes
//   keep     patch leaves an element that is there with this key as it is
//   value, checked, open, indeterminate   properties of the element
//   style    an object, of custom properties mostly
// All else is an attribute; true is an empty one, false and null is none.
export function h(kind, props, ...children) {
  return make(null, kind, props, children);
}

// s is h for the parts of a drawing.
export function s(kind, props, ...children) {
  return make(SVG, kind, props, children);
}

function make(space, kind, props, children) {
  const [tag, ...classes] = kind.split(".");
  const el = space ? document.createElementNS(space, tag) : document.createElement(tag);
  if (classes.length) el.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(props ?? {})) set(el, name, value);
  append(el, children);
  return el;
}

const live = new Set(["value", "checked", "indeterminate"]);

function set(el, name, value) {
  if (value === undefined || value === null || value === false && !live.has(name)) return;
  if (name === "key" || name === "keep") el[name] = value;
  else if (name.startsWith("on")) el[name] = value, (el.heard ??= []).push(name);
  else if (live.has(name)) el[name] = value;
  else if (name === "style") for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v);
  else if (name === "class") el.classList.add(...value.split(" ").filter(Boolean));
  else el.setAttribute(name, value === true ? "" : value);
}

function append(el, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(el, child);
    else if (child instanceof Node) el.append(child);
    else if (child !== null && child !== undefined && child !== false) el.append(String(child));
  }
}

// show makes an element's children those given.
export function show(el, ...children) {
  const now = document.createElement("div");
  append(now, children);
  patchChildren(el, now);
}

// patch makes old, which is in the page, like now.
function patch(old, now) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.keep) return;
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && name !== "style") old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.style.cssText !== now.style.cssText) old.style.cssText = now.style.cssText;
  for (const name of old.heard ?? []) old[name] = null;
  for (const name of now.heard ?? []) old[name] = now[name];
  old.heard = now.heard;
  if (old instanceof HTMLInputElement) {
    old.checked = now.checked;
    old.indeterminate = now.indeterminate;
  }
  if ("value" in old && "value" in now && old !== document.activeElement && old.value !== now.value && !(old instanceof HTMLSelectElement)) old.value = now.value;
  patchChildren(old, now);
  if (old instanceof HTMLSelectElement && old !== document.activeElement) old.value = now.value;
}

function patchChildren(old, now) {
  const keyed = new Map();
  for (const child of old.childNodes) if (child.key !== undefined) keyed.set(child.key, child);
  let at = old.firstChild;
  for (const next of [...now.childNodes]) {
    const same = next.key !== undefined ? keyed.get(next.key) : at;
    if (same && alike(same, next)) {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      patch(same, next);
    } else {
      old.insertBefore(next, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.key === b.key;
}
