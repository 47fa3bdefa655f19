// Starts the page: who may see it, which view is shown, and what the frame around it says.

import { connection } from "./connection.js";
import { get } from "./api.js";
import { replace } from "./dom.js";
import * as job from "./job.js";
import * as jobs from "./jobs.js";
import * as login from "./login.js";
import * as overview from "./overview.js";
import { announce, placeholder } from "./parts.js";
import { route } from "./router.js";
import { forget, key, session } from "./session.js";
import * as trial from "./trial.js";

const VIEWS = { overview, jobs, job, try: trial };
const RETRY_MS = 2000;

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const logout = document.getElementById("logout");
const banner = document.getElementById("banner");

let leave = new AbortController();
let isInside = false;

/** A clean place for the next view; what the last one did is stopped. */
function turn() {
  leave.abort();
  leave = new AbortController();
  replace(main);
  return leave.signal;
}

async function begin() {
  const signal = turn();
  isInside = false;
  const outcome = await login.mayEnter(signal);
  if (signal.aborted) return;
  if (outcome === "in") enter();
  else if (outcome.status === 401 || outcome.status === 403) askForKey(outcome);
  else waitForFront(outcome, signal);
}

function askForKey(error) {
  turn();
  isInside = false;
  const hadKey = key() !== null;
  forget();
  frame(null);
  document.title = "Log in · Muninn";
  login.mount(main, error, hadKey, enter);
}

/** The front is away, or has no store: ask until that is over. */
function waitForFront(error, signal) {
  frame(null);
  replace(main, placeholder(error.message, "Trying again …"));
  const timer = setTimeout(begin, RETRY_MS);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}

function enter() {
  isInside = true;
  showVersion();
  show(false);
}

function show(isMove = true) {
  if (!isInside) return;
  const found = route();
  const signal = turn();
  frame(found);
  if (!found) {
    replace(main, placeholder("There is nothing at this address."));
    return;
  }
  const view = VIEWS[found.name];
  document.title = `${found.id ? `Job ${found.id.slice(0, 8)}` : view.title} · Muninn`;
  view.mount(main, found, signal);
  if (isMove) arrive();
}

/** Somebody who cannot see that the page has changed is told. */
function arrive() {
  scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
  announce(document.title);
}

function frame(found) {
  nav.hidden = !isInside;
  logout.hidden = !isInside || key() === null;
  document.getElementById("open").hidden = !isInside || key() !== null;
  const current = found?.name === "job" ? "jobs" : found?.name;
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function showVersion() {
  const { version } = await get("/version").catch(() => ({}));
  if (version) document.getElementById("version").textContent = `Muninn ${version}`;
}

const BANNERS = {
  gone: "The front cannot be reached. What is shown may be old; trying again …",
  "no-store": "The job store cannot be reached. Jobs wait until it is back; trying again …",
};

connection.addEventListener("change", ({ detail: state }) => {
  banner.hidden = state === "well";
  replace(banner, BANNERS[state]);
  if (state === "well") announce("The connection is back.");
});

session.addEventListener("refused", ({ detail: error }) => askForKey(error));
logout.addEventListener("click", () => {
  forget();
  begin();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => show());
begin();
