// Asks for the admin key, and says what is wrong with the one that was given.

import { get } from "./api.js";
import { h, replace } from "./dom.js";
import { problem } from "./parts.js";
import { forget, remember } from "./session.js";

export const title = "Log in";

/** Whether the page may show its views: "in", or the error that says why not. */
export async function mayEnter(signal) {
  try {
    await get("/v1/async/overview", { signal, probe: true });
    return "in";
  } catch (error) {
    return error;
  }
}

/** The form. `error` is why the page asks; `enter` is called when a key was found good. */
export function mount(place, error, hadKey, enter) {
  const message = h("div", { id: "login-message", role: "alert" }, explained(error, hadKey));
  const field = h("input", {
    id: "login-key",
    type: "password",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "login-message login-hint",
  });
  const submit = h("button", { class: "button primary", type: "submit" }, "Log in");

  async function tried(event) {
    event.preventDefault();
    const secret = field.value.trim();
    if (!secret) return;
    submit.disabled = true;
    remember(secret);
    const outcome = await mayEnter();
    submit.disabled = false;
    if (outcome === "in") {
      enter();
      return;
    }
    forget();
    replace(message, explained(outcome, true));
    field.select();
    field.focus();
  }

  const hint = h(
    "p",
    { class: "hint", id: "login-hint" },
    "Kept in this tab until it is closed, and nowhere else. A key is made with ",
    h("code", {}, "muninn keys create --name ops --admin"),
    ".",
  );
  const form = h(
    "form",
    { class: "login card", on: { submit: tried } },
    h("h1", { tabindex: "-1" }, "Log in"),
    h(
      "p",
      {},
      "This gateway has keys. The page shows the jobs of all of them, so it takes an admin key.",
    ),
    h("label", { for: "login-key" }, "Admin key"),
    field,
    message,
    submit,
    hint,
  );
  replace(place, form);
  field.focus();
}

function explained(error, hadKey) {
  if (error.status === 401 && !hadKey) return null;
  if (error.status === 401)
    return notice("This key is not known here. It may be mistyped, revoked or expired.");
  if (error.status === 403)
    return notice("This key is good, but it is no admin key. The page needs one.");
  return problem(error);
}

function notice(text) {
  return h("div", { class: "notice error" }, h("p", {}, text));
}
