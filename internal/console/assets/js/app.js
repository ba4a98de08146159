// The frame: who is there, which page is shown, what lies at its side.
import { api, firstAsk, Problem } from "./api.js";
import { bind, help, listen, page as keysOfPage } from "./keys.js";
import { count } from "./words.js";
import { h, show } from "./dom.js";
import { icon, logo } from "./icons.js";
import { live, sign } from "./live.js";
import { ask, toast } from "./dialog.js";
import * as actions from "./pages/actions.js";
import * as customer from "./pages/customer.js";
import * as letter from "./pages/letter.js";
import * as letters from "./pages/letters.js";
import * as login from "./pages/login.js";
import * as overview from "./pages/overview.js";
import * as workers from "./pages/workers.js";

// A page is a module with a title and open(ctx), which shows it and goes on
// showing it until ctx.signal ends. ctx holds:
//   parts, query   what stands in the address
//   show(...tree)  puts the page's content
//   live           what changes by itself, see live.js
//   go(address, {replace})
//   keys([...])    the page's shortcuts
//   failed(error)  shows an error as a toast; one that ends the session as a login
//   signal         ends with the page
const pages = { "": overview, letters, letter, customer, workers, actions };
const places = [
  ["", "overview", "Overview"], ["letters", "letters", "Dead letters"], ["customer", "customer", "Customer"],
  ["workers", "workers", "Workers"], ["actions", "actions", "Actions"],
];

const side = h("div.side"), main = h("main", { id: "main" });
let session, line, leave = new AbortController(), first = true;

async function begin() {
  session = await api.session();
  if (!session.authenticated) return enter();
  document.body.className = "";
  show(document.body, h("a.skip", { href: "#main", onclick: skip }, "Skip to content"));
  document.body.append(side, main);
  line = live({ refused });
  line.on(frame);
  route();
}

function skip(e) {
  e.preventDefault();
  main.querySelector("h1")?.focus();
}

// refused tells whether a line ended because the session did, and then asks who
// is there.
async function refused() {
  try {
    session = await api.session();
  } catch {
    return false; // the worker is away
  }
  if (!session.authenticated) enter("Your session has ended. Sign in again to go on.");
  return !session.authenticated;
}

function enter(why) {
  line?.close();
  leave.abort();
  leave = new AbortController();
  keysOfPage([]);
  document.title = "Sign in · custsync";
  document.body.className = "bare";
  document.body.replaceChildren();
  login.open({ show: (...tree) => show(document.body, ...tree), why, done: () => begin().catch(dead) });
}

// rename asks who acts, for the record.
async function rename() {
  const name = await ask("Who are you?", { says: h("p", null, "Replays, corrections and looks at personal fields are recorded under this name."), label: "Your name", required: true, action: "Keep" });
  if (name === undefined) return;
  await api.login("", name).then((s) => { session = s; frame(line); }, failed);
}

firstAsk(async () => {
  if (!session.name) await rename();
  if (!session.name) throw new DOMException("nobody said who acts", "AbortError");
});

async function out() {
  await api.logout().catch(() => {});
  enter("You are signed out.");
}

function frame(l) {
  const here = address().parts[0];
  const dead = (l.status?.destinations ?? []).reduce((n, d) => n + d.dead, 0);
  show(side,
    h("a.brand", { href: "#/" }, logo(), "custsync"),
    h("nav.nav", { "aria-label": "Pages" }, places.map(([to, picture, name]) =>
      h("a", { href: "#/" + to, "aria-current": here === to || here === "letter" && to === "letters" ? "page" : null }, icon(picture), h("span", null, name),
        to === "letters" && dead > 0 && h("span.count", { "aria-label": `${count(dead)} open` }, dead > 9999 ? Math.floor(dead / 1000) + "k" : count(dead))))),
    h("div.foot", null,
      sign(l),
      session.token_required && session.name ? h("div.line.who", { title: "What you do is recorded under this name" }, icon("customer"), session.name)
        : h("button.line.who", { type: "button", onclick: rename, title: "What you do is recorded under this name" }, icon("customer"), session.name || "Say who you are"),
      h("button.line", { type: "button", onclick: help, "aria-label": "Keyboard shortcuts" }, icon("help"), h("span.who", null, "Shortcuts"), h("kbd", null, "?")),
      session.token_required && h("button.line", { type: "button", onclick: out, "aria-label": "Sign out" }, icon("leave"), h("span.who", null, "Sign out"))));
}

// address is what stands behind the #: its parts and its query.
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").map(plain), query: new URLSearchParams(query) };
}

// plain is a part as it was written; one that nobody escaped stays as it is.
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function route() {
  leave.abort();
  leave = new AbortController();
  const { parts, query } = address();
  const page = pages[parts[0]];
  if (!page) {
    location.replace("#/");
    return;
  }
  const { signal } = leave;
  main.replaceChildren();
  keysOfPage([]);
  document.title = page.title + " · custsync";
  page.open({
    parts: parts.slice(1), query, live: line, signal, session,
    show: (...tree) => signal.aborted || show(main, ...tree),
    go: (to, { replace = false } = {}) => replace ? location.replace(to) : location.assign(to),
    keys: (list) => signal.aborted || keysOfPage(list),
    failed: (err) => signal.aborted || failed(err),
  });
  if (line.state !== "wait") frame(line);
  // Whoever does not see the page hears that it has changed.
  if (!first) requestAnimationFrame(() => main.querySelector("h1")?.focus({ preventScroll: true }));
  first = false;
  scrollTo(0, 0);
}

function failed(err) {
  if (err.name === "AbortError") return;
  if (err instanceof Problem && err.status === 401) return enter("Your session has ended. Sign in again to go on.");
  toast(err.message, { bad: true });
}

// dead is shown while the worker does not answer at all.
function dead(err) {
  document.body.className = "bare";
  show(document.body, h("main.alone", null, h("div.card", null, h("div.body.stack", null,
    h("h1", null, "The worker does not answer"),
    h("p.soft", null, err.message),
    h("div", null, h("button.button.main", { type: "button", onclick: () => location.reload() }, "Try again"))))));
}

const to = (keys, place, does) => ({ keys, does, run: () => location.assign("#/" + place) });
bind(
  to("g o", "", "Overview"), to("g d", "letters", "Dead letters"), to("g c", "customer", "Customer"), to("g w", "workers", "Workers"), to("g a", "actions", "Actions"),
  { keys: "/", does: "Find a customer", run: () => location.assign("#/customer") },
  { keys: "?", does: "This list", run: help },
);
listen();
addEventListener("hashchange", () => session?.authenticated && line && route());
begin().catch(dead);
