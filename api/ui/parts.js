// The small parts that all views are made of.

import { h, replace, setText, uniqueId } from "./dom.js";
import { pretty } from "./format.js";

const STATUS_WORDS = {
  pending: "Queued",
  processing: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** The envelope's statuses, in the order of a job's life. */
export const STATUSES = Object.keys(STATUS_WORDS);
export const statusWord = (status) => STATUS_WORDS[status] ?? status;
export const isEnded = (status) => !["pending", "processing"].includes(status);

/** A status in its colour; `show(status)` changes it. */
export function chip() {
  const text = h("span", {}, "");
  const element = h(
    "span",
    { class: "chip" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    text,
  );
  const show = (status) => {
    setText(text, statusWord(status));
    element.dataset.status = status;
  };
  return { element, show };
}

/** A surface with a heading. */
export function card(title, ...children) {
  const id = uniqueId("card");
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

export function button(label, onClick, attributes = {}) {
  return h(
    "button",
    { class: "button", type: "button", ...attributes, on: { click: onClick } },
    label,
  );
}

/** What is shown where there is nothing, or nothing yet. */
export function placeholder(title, ...more) {
  return h("div", { class: "placeholder" }, h("p", { class: "placeholder-title" }, title), more);
}

export const loading = () =>
  h("div", { class: "placeholder loading", role: "status" }, "Loading …");

/** An error in words, with its code where it has one. */
export function problem(error, again = null) {
  return h(
    "div",
    { class: "notice error", role: "alert" },
    h("p", {}, error.message),
    error.code &&
      h(
        "p",
        { class: "notice-detail" },
        `${error.status} ${error.code}`,
        error.param && `, at ${error.param}`,
      ),
    again && button("Try again", again),
  );
}

/** Names and values; a value that is null is left out. */
export function facts(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

// More than this would make the page slow; it is shown when it is asked for.
const LONG_TEXT = 100_000;

/** Long text to read or to copy: JSON, mostly. */
export function codeBlock(text, label) {
  const shown = h(
    "pre",
    { class: "code", tabindex: "0", role: "region", "aria-label": label },
    text.slice(0, LONG_TEXT),
  );
  const all = () => {
    shown.textContent = text;
    more.remove();
  };
  const more = button(`Show all ${text.length.toLocaleString()} characters`, all);
  const copy = button("Copy", () => copyText(text, label), {
    class: "button small",
    "aria-label": `Copy ${label}`,
  });
  return h("div", { class: "code-block" }, copy, shown, text.length > LONG_TEXT && more);
}

export const jsonBlock = (value, label) => codeBlock(pretty(value), label);

/** Something to be opened. */
export function disclosure(title, content, attributes = {}) {
  return h("details", { class: "disclosure", ...attributes }, h("summary", {}, title), content);
}

let toastTimer;

/** A word that goes away by itself. */
export function toast(text) {
  const element = document.getElementById("toast");
  element.textContent = text;
  element.classList.add("is-shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element.classList.remove("is-shown"), 2500);
}

/** Tell those who cannot see the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}.`);
  } catch {
    // Browsers let a page write to the clipboard over HTTPS or on this machine alone.
    toast("This browser does not let the page copy here. Select the text and copy it.");
  }
}

/** Ask before something that cannot be undone; true if it is wanted. */
export function confirm(question, detail, verb) {
  return new Promise((resolve) => {
    const heading = uniqueId("question");
    const close = (answer) => () => dialog.close(answer);
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": heading },
      h("h2", { id: heading }, question),
      h("p", {}, detail),
      h(
        "div",
        { class: "actions" },
        button("No, go back", close("no"), { autofocus: true }),
        button(verb, close("yes"), { class: "button danger" }),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Put content into a place, unless it is the same as before: `key` says what it shows. */
export function showOnce(place, key, make) {
  if (place.dataset.shows === key) return;
  place.dataset.shows = key;
  replace(place, make());
}
