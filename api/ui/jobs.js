// The list of jobs: newest first, filtered, and live.

import { get } from "./api.js";
import { now } from "./clock.js";
import { h, replace, set, setText } from "./dom.js";
import { age, duration } from "./format.js";
import { Filters } from "./job_filters.js";
import {
  announce,
  button,
  chip,
  isEnded,
  loading,
  placeholder,
  problem,
  statusWord,
} from "./parts.js";
import { poll } from "./polling.js";
import { withQuery } from "./query.js";
import { toJob } from "./router.js";

export const title = "Jobs";

const EVERY_MS = 2000;
const PAGE = 50;
// So many pages are kept fresh; who wants to see more narrows the filter.
const MOST_PAGES = 20;

export function mount(place, { query }, signal) {
  const list = new JobList(signal);
  const filters = new Filters(query, () => list.start(filters.values));
  replace(place, h("h1", { tabindex: "-1" }, title), filters.element, list.element);
  list.onSeen = (jobs) => filters.suggest(jobs);
  list.start(filters.values);
}

class JobList {
  constructor(signal) {
    this.signal = signal;
    this.rows = new Map();
    this.list = h("ul", { class: "jobs" });
    this.note = h("div", {}, loading());
    this.more = button("Load more", () => this._loadMore(), { class: "button wide", hidden: true });
    this.element = h(
      "section",
      { class: "card flush", "aria-label": "Jobs" },
      heads(),
      this.list,
      this.note,
      this.more,
    );
    signal.addEventListener("abort", () => this.run?.abort(), { once: true });
  }

  /** Show the jobs that fit the filter, from the newest on. */
  start(filter) {
    this.run?.abort();
    this.run = new AbortController();
    this.filter = filter;
    this.pages = 1;
    this.isShown = false;
    const { signal } = this.run;
    this.ask = poll(() => this._refresh(signal), EVERY_MS, signal);
  }

  async _refresh(signal) {
    try {
      const { jobs, cursor } = await this._read(signal);
      this._show(jobs, cursor);
      return true;
    } catch (error) {
      if (error.name === "AbortError") return true;
      if (!this.isShown || error.status === 400) this._fail(error);
      return false;
    }
  }

  /** All pages that were asked for, one after another, so that they fit together. */
  async _read(signal) {
    const jobs = [];
    let cursor = null;
    for (let page = 0; page < this.pages; page += 1) {
      const path = withQuery("/v1/async/responses", { ...this.filter, limit: PAGE, after: cursor });
      const found = await get(path, { signal });
      jobs.push(...found.data);
      cursor = found.next_cursor;
      if (cursor === null) break;
    }
    return { jobs, cursor };
  }

  _loadMore() {
    this.pages += 1;
    this.more.disabled = true;
    this.more.textContent = "Loading …";
    this.ask();
  }

  _show(jobs, cursor) {
    this.isShown = true;
    this.onSeen?.(jobs);
    this._arrange(jobs);
    replace(this.note, jobs.length === 0 && this._nothing(cursor));
    this.more.disabled = false;
    this.more.textContent = "Load more";
    this.more.hidden = cursor === null || this.pages >= MOST_PAGES;
  }

  /** Rows are kept and moved, never made anew: focus, selection and scroll stay where they are. */
  _arrange(jobs) {
    const wanted = new Set(jobs.map((job) => job.id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    let next = this.list.firstElementChild;
    for (const job of jobs) {
      const row = this.rows.get(job.id) ?? this._newRow(job.id);
      if (row.element === next) next = next.nextElementSibling;
      else this.list.insertBefore(row.element, next);
      row.show(job);
    }
  }

  _newRow(id) {
    const row = new JobRow(id);
    this.rows.set(id, row);
    return row;
  }

  _nothing(cursor) {
    if (cursor !== null)
      return placeholder("None among the newest jobs.", "Load more to look further back.");
    const isFiltered = Object.values(this.filter).some(Boolean);
    if (isFiltered) return placeholder("No job fits this filter.");
    return placeholder(
      "No jobs yet.",
      h(
        "p",
        {},
        "Send one from ",
        h("a", { href: "#/try" }, "Try"),
        ", or with the header x-bf-async: true.",
      ),
    );
  }

  _fail(error) {
    this._arrange([]);
    replace(
      this.note,
      problem(error, () => this.ask()),
    );
    this.more.hidden = true;
  }
}

function heads() {
  const words = ["Status", "Model", "Key", "Job", "Age", "Time", "Tries"];
  return h(
    "div",
    { class: "job-row heads", "aria-hidden": "true" },
    words.map((word) => h("span", {}, word)),
  );
}

/** One job of the list. */
class JobRow {
  constructor(id) {
    this.status = null;
    this.chip = chip();
    this.model = cell("model", "model");
    this.key = cell("key", "key");
    this.age = cell("age", "submitted");
    this.time = cell("time", "time");
    this.tries = cell("tries", "attempts");
    const name = cell("id", "job");
    name.show(id.slice(0, 8));
    const cells = [this.model, this.key, name, this.age, this.time, this.tries].map(
      (each) => each.element,
    );
    this.link = h(
      "a",
      { class: "job-row", href: toJob(id), "data-job": id },
      h("span", { class: "cell status" }, this.chip.element),
      cells,
    );
    this.element = h("li", {}, this.link);
  }

  show(job) {
    const created = Date.parse(job.created_at);
    if (this.status !== null && this.status !== job.status && this.link.matches(":focus")) {
      announce(`${job.model}: ${statusWord(job.status)}`);
    }
    this.status = job.status;
    this.chip.show(job.status);
    this.model.show(job.model);
    this.key.show(job.key ?? "");
    this.age.show(ago(created));
    this.time.show(timeOf(job));
    this.tries.show(String(job.attempts));
    this.link.classList.toggle("is-first-try", job.attempts < 2);
    set(this.link, "title", job.error?.message);
  }
}

function cell(name, label) {
  const text = h("span", { class: "cell-text" });
  const element = h(
    "span",
    { class: `cell ${name}` },
    h("span", { class: "cell-label" }, `${label} `),
    text,
  );
  return {
    element,
    show: (value) => {
      setText(text, value);
      element.classList.toggle("is-empty", value === "");
    },
  };
}

function ago(created) {
  const seconds = (now() - created) / 1000;
  return seconds < 1 ? "now" : `${age(seconds)} ago`;
}

/** How long it ran, or has been running; while it waits for another attempt, until when. */
function timeOf(job) {
  if (job.next_attempt_at && !isEnded(job.status)) {
    const seconds = (Date.parse(job.next_attempt_at) - now()) / 1000;
    return seconds > 0 ? `again in ${duration(Math.ceil(seconds))}` : "again now";
  }
  if (!job.started_at || job.status === "pending") return "";
  const end = job.completed_at ? Date.parse(job.completed_at) : now();
  return duration((end - Date.parse(job.started_at)) / 1000);
}
