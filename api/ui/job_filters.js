// The filters above the list of jobs. They stand in the address, so that a list can be linked to.

import { h, replace, uniqueId } from "./dom.js";
import { STATUSES, statusWord } from "./parts.js";
import { note, toJobs } from "./router.js";

const PAUSE_MS = 300;

/** Status, model and key; `values` is what to ask for, `changed` is called when it is another. */
export class Filters {
  constructor(query, changed) {
    this.changed = changed;
    this.values = Object.fromEntries(
      ["status", "model", "key"].map((name) => [name, query.get(name) ?? ""]),
    );
    this.seen = { model: new Set(), key: new Set() };
    this.lists = {};
    this.element = h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter the jobs",
        on: { submit: (event) => event.preventDefault() },
      },
      this._statuses(),
      this._field("model", "Model", "any, or openai/*"),
      this._field("key", "Key", "any"),
    );
  }

  /** Offer the models and keys of these jobs. */
  suggest(jobs) {
    for (const name of ["model", "key"]) {
      const before = this.seen[name].size;
      for (const job of jobs) if (job[name]) this.seen[name].add(job[name]);
      if (this.seen[name].size === before) continue;
      replace(
        this.lists[name],
        [...this.seen[name]].sort().map((value) => h("option", { value })),
      );
    }
  }

  _statuses() {
    const option = (value, word) => {
      const input = h("input", {
        type: "radio",
        name: "status",
        value,
        checked: this.values.status === value,
        on: { change: () => this._change("status", value) },
      });
      return h("label", { class: "pill" }, input, h("span", {}, word));
    };
    const all = [
      option("", "All"),
      ...STATUSES.map((status) => option(status, statusWord(status))),
    ];
    return h(
      "fieldset",
      { class: "pills" },
      h("legend", { class: "visually-hidden" }, "Status"),
      all,
    );
  }

  _field(name, label, hint) {
    const id = uniqueId(name);
    this.lists[name] = h("datalist", { id: `${id}-known` });
    let timer;
    const typed = (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => this._change(name, event.target.value.trim()), PAUSE_MS);
    };
    const attributes = {
      id,
      type: "search",
      placeholder: hint,
      value: this.values[name],
      list: `${id}-known`,
    };
    const input = h("input", {
      ...attributes,
      autocomplete: "off",
      spellcheck: "false",
      on: { input: typed },
    });
    return h("div", { class: "field" }, h("label", { for: id }, label), input, this.lists[name]);
  }

  _change(name, value) {
    if (this.values[name] === value) return;
    this.values = { ...this.values, [name]: value };
    note(toJobs(this.values));
    this.changed();
  }
}
