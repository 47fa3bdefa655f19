// The trial: write a request, send it inline, streamed or as a job, and see what comes back.

import { get } from "./api.js";
import { h, replace, setText, uniqueId } from "./dom.js";
import { pretty } from "./format.js";
import { announce, button } from "./parts.js";
import { go, toJob } from "./router.js";
import { bodyOf, draft } from "./trial_draft.js";
import { Result } from "./trial_result.js";
import * as ways from "./trial_run.js";

export const title = "Try";

const MODES = { stream: "Streamed", inline: "Inline", job: "As a job" };
// Answered by the gateway itself: they work, and cost nothing, whatever is configured.
const EXAMPLES = [
  "echo/hello",
  "echo/slow-2s",
  "echo/reasoning",
  "echo/long-500",
  "echo/error-429",
  "echo/flaky-2",
];

export function mount(place, parameters, signal) {
  const trial = new Trial(signal);
  replace(
    place,
    h("h1", { tabindex: "-1" }, title),
    h("div", { class: "trial" }, trial.form, trial.place),
  );
  trial.suggestModels();
}

class Trial {
  constructor(signal) {
    this.signal = signal;
    this.models = h(
      "datalist",
      { id: uniqueId("models") },
      EXAMPLES.map((value) => h("option", { value })),
    );
    this.place = h("div", { class: "trial-result" });
    this.submit = h("button", { class: "button primary", type: "submit" }, "Send");
    this.stop = button("Stop", () => this.run?.abort(), { hidden: true });
    this.error = h("div", { role: "alert" });
    this.form = h(
      "form",
      { class: "card", on: { submit: (event) => this._sent(event) } },
      this._fields(),
    );
    signal.addEventListener("abort", () => this.run?.abort(), { once: true });
    this._showRaw();
  }

  /** Offer the models of the newest jobs as well; it is no matter if that cannot be had. */
  async suggestModels() {
    const found = await get("/v1/async/responses?limit=100", { signal: this.signal }).catch(() => ({
      data: [],
    }));
    const models = new Set([...found.data.map((job) => job.model), ...EXAMPLES]);
    replace(
      this.models,
      [...models].filter(Boolean).map((value) => h("option", { value })),
    );
  }

  _fields() {
    const model = input("model", {
      list: this.models.id,
      placeholder: "provider/model",
      autocomplete: "off",
      spellcheck: "false",
    });
    const text = area("input", { rows: 6, placeholder: "What to ask" });
    const instructions = area("instructions", { rows: 3 });
    const most = input("maxTokens", { type: "number", min: 1, step: 1, inputmode: "numeric" });
    this.json = area("json", { rows: 14, class: "mono", spellcheck: "false" });
    const more = h(
      "details",
      { class: "disclosure", open: Boolean(draft.instructions || draft.maxTokens) },
      h("summary", {}, "More options"),
      labelled("Instructions", instructions),
      labelled("Most output tokens", most),
    );
    this.plain = h("div", {}, labelled("Model", model), this.models, labelled("Input", text), more);
    this.raw = h("div", {}, labelled("Request, as JSON", this.json));
    return [
      this._rawSwitch(),
      this.plain,
      this.raw,
      this._modes(),
      this.error,
      h("div", { class: "actions" }, this.submit, this.stop),
    ];
  }

  _rawSwitch() {
    const box = h("input", {
      type: "checkbox",
      checked: draft.isRaw,
      on: { change: () => this._toggleRaw(box.checked) },
    });
    return h("label", { class: "switch" }, box, "Write JSON");
  }

  _toggleRaw(isRaw) {
    draft.isRaw = isRaw;
    // What is in the form is the JSON to go on from; the way back keeps the form as it was.
    if (isRaw) this.json.value = draft.json = pretty(bodyOf(draft));
    this._showRaw();
  }

  _showRaw() {
    this.plain.hidden = draft.isRaw;
    this.raw.hidden = !draft.isRaw;
  }

  _modes() {
    const option = ([value, word]) => {
      const attributes = { type: "radio", name: "mode", value, checked: draft.mode === value };
      return h(
        "label",
        { class: "pill" },
        h("input", { ...attributes, on: { change: () => (draft.mode = value) } }),
        h("span", {}, word),
      );
    };
    return h(
      "fieldset",
      { class: "pills" },
      h("legend", {}, "How"),
      Object.entries(MODES).map(option),
    );
  }

  async _sent(event) {
    event.preventDefault();
    const body = this._body();
    if (body === null) return;
    this.run = new AbortController();
    const result = new Result();
    result.job = (id) => go(toJob(id));
    replace(this.place, result.element);
    // On a phone it is below the form.
    this.place.scrollIntoView({ block: "nearest" });
    this._busy(true);
    try {
      await ways[draft.mode](body, result, this.run.signal);
      announce("The answer is there.");
    } catch (error) {
      result.fail(error);
    } finally {
      result.end();
      this._busy(false);
    }
  }

  _busy(isBusy) {
    this.submit.disabled = isBusy;
    this.stop.hidden = !isBusy;
    setText(this.submit, isBusy ? "Sending …" : "Send");
  }

  /** The request; null, with words beside the form, if there is none. */
  _body() {
    replace(this.error);
    if (!draft.isRaw) {
      if (draft.model.trim()) return bodyOf(draft);
      return this._refuse("Say which model to ask.");
    }
    try {
      const body = JSON.parse(draft.json);
      const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
      return isObject ? body : this._refuse("A request is a JSON object.");
    } catch (error) {
      return this._refuse(`This is not JSON: ${error.message}`);
    }
  }

  _refuse(text) {
    replace(this.error, h("div", { class: "notice error" }, h("p", {}, text)));
    return null;
  }
}

/** A field that keeps the draft as it is written. */
function kept(tag, name, attributes) {
  const field = h(tag, {
    id: uniqueId(name),
    ...attributes,
    on: { input: () => (draft[name] = field.value) },
  });
  field.value = draft[name];
  return field;
}

const input = (name, attributes) => kept("input", name, { type: "text", ...attributes });
const area = (name, attributes) => kept("textarea", name, attributes);
const labelled = (label, field) =>
  h("div", { class: "field" }, h("label", { for: field.id }, label), field);
