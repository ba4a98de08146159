// Sign in: the worker's token, and a name for the record.
import { api } from "../api.js";
import { h } from "../dom.js";
import { logo } from "../icons.js";

export function open({ show, why = "", done }) {
  let token = "", name = "", wrong = "", busy = false;

  async function submit(e) {
    e.preventDefault();
    if (busy) return;
    busy = true, wrong = "";
    draw();
    try {
      await api.login(token.trim(), name.trim());
      done();
    } catch (err) {
      busy = false;
      wrong = err.status === 401
        ? "That is not this worker's token. It is the one that stands behind http.token in its configuration; ask whoever runs it."
        : err.message;
      draw();
      document.querySelector("#token")?.focus();
    }
  }

  function draw() {
    show(h("main.alone", null, h("form.card", { onsubmit: submit }, h("div.body.stack", null,
      h("div.brand", null, logo(), "custsync"),
      h("div", null,
        h("h1", { tabindex: -1 }, "Sign in"),
        h("p.soft", null, why || "This worker asks for its token.")),
      h("label.field", null, h("span", null, "Token"),
        h("input.input", {
          id: "token", type: "password", autocomplete: "current-password", required: true, autofocus: true, value: token, "class": wrong ? "wrong" : "",
          "aria-invalid": wrong ? "true" : null, "aria-describedby": wrong ? "wrong" : "hint", oninput: (e) => { token = e.target.value; },
        }),
        wrong ? h("p.says.wrong", { id: "wrong", role: "alert" }, wrong)
          : h("p.says", { id: "hint" }, "http.token in the worker's configuration, CUSTSYNC_TOKEN in most set-ups.")),
      h("label.field", null, h("span", null, "Your name, for the record"),
        h("input.input", { id: "name", autocomplete: "username", maxlength: 64, value: name, oninput: (e) => { name = e.target.value; } }),
        h("p.says", null, "Replays, corrections and looks at personal fields are recorded under it.")),
      h("button.button.main", { type: "submit", disabled: busy }, busy ? "Signing in…" : "Sign in")))));
  }
  draw();
  document.querySelector("#token")?.focus();
}
