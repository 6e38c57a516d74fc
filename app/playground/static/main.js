// The page: who is signed in, which view the address names, and what all views share.

import { ApiError, get, key } from "./api.js";
import { showAssistant, showAssistants } from "./assistants.js";
import { showThread } from "./chat.js";
import { complain, field, fill, h } from "./dom.js";
import { showRuns, showThreads } from "./lists.js";

const VIEWS = [
  [/^#\/assistants$/, showAssistants],
  [/^#\/assistants\/(new|asst_\w+)$/, showAssistant],
  [/^#\/threads$/, showThreads],
  [/^#\/threads\/(new|thread_\w+)$/, showThread],
  [/^#\/runs$/, showRuns],
];
const LINKS = [
  ["#/assistants", "Assistants"],
  ["#/threads", "Threads"],
  ["#/runs", "Runs"],
];
const SCHEME = "locum.scheme";

const main = document.getElementById("main");
let leave = () => {};
let shown = 0;

async function show() {
  const number = (shown += 1);
  leave();
  leave = () => {};
  bar();
  if (!key.get()) return signIn();
  const hash = location.hash || "#/assistants";
  for (const [pattern, view] of VIEWS) {
    const match = pattern.exec(hash.split("?")[0]);
    if (!match) continue;
    const place = h("div", { class: "view" });
    fill(main, place);
    try {
      const left = (await view(place, match[1])) ?? (() => {});
      if (number === shown) leave = left;
      else left(); // the visitor has gone on before it was there
    } catch (error) {
      if (number !== shown) return undefined;
      if (error instanceof ApiError && error.status === 401) return signOut(error);
      fill(place, h("p", { class: "failure" }, error.message));
      complain(error);
    }
    return undefined;
  }
  location.hash = "#/assistants";
  return undefined;
}

function bar() {
  const here = location.hash || "#/assistants";
  const links = LINKS.map(([to, name]) => h("a", { href: to, "aria-current": here.startsWith(to) && "page" }, name));
  const icon = h("img", { src: "/playground/static/icon.svg", alt: "", width: "24", height: "24" });
  const scheme = h("button", { type: "button", class: "plain", title: "Light or dark", "aria-label": "Light or dark", onclick: turn }, "◐");
  const out = key.get() && h("button", { type: "button", onclick: () => signOut() }, "Sign out");
  fill(document.getElementById("bar"), h("b", { class: "brand" }, icon, "Locum"), h("nav", { "aria-label": "Views" }, key.get() && links), scheme, out);
}

function signIn() {
  const input = h("input", { type: "password", autocomplete: "off", required: true, placeholder: "sk-…" });
  const form = h("form", { class: "card sign-in" }, h("h1", {}, "Playground"),
    h("p", {}, "Assistants, threads and runs of your project, and everything that happens inside them."),
    field("API key", input, "It stays in this tab. Keys are made with `locum keys create`."), h("button", { class: "primary" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    try {
      await get("/assistants?limit=1");
      show();
    } catch (error) {
      key.forget();
      complain(error);
    }
  });
  fill(main, form);
  input.focus();
}

function signOut(error) {
  key.forget();
  if (error) complain(error);
  show();
}

function turn() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.scheme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.scheme = now === "dark" ? "light" : "dark";
  localStorage.setItem(SCHEME, document.documentElement.dataset.scheme);
}

const scheme = localStorage.getItem(SCHEME);
if (scheme) document.documentElement.dataset.scheme = scheme;
addEventListener("hashchange", show);
show();
