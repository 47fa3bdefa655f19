// The overview: queue, workers and store at a glance, the last hour, and what was used.

import { get } from "./api.js";
import { now } from "./clock.js";
import { h, replace, setText } from "./dom.js";
import { age, bytes, count, duration } from "./format.js";
import { HistoryChart } from "./history_chart.js";
import { card, loading, placeholder, problem } from "./parts.js";
import { poll } from "./polling.js";
import { UsageCard } from "./usage_card.js";

export const title = "Overview";

const EVERY_MS = 2000;
const USAGE_EVERY_MS = 30_000;
// A job that waits for longer than this deserves a look.
const LONG_WAIT_SECONDS = 60;

export function mount(place, parameters, signal) {
  const view = new Overview();
  replace(place, h("h1", { tabindex: "-1" }, title), view.element);
  poll(() => view.refresh(signal), EVERY_MS, signal);
  poll(() => view.usage.refresh(signal), USAGE_EVERY_MS, signal);
}

class Overview {
  constructor() {
    this.tiles = new Map();
    this.chart = new HistoryChart();
    this.usage = new UsageCard();
    this.workers = h("ul", { class: "workers" });
    this.element = h("div", {}, loading());
    this.isShown = false;
  }

  async refresh(signal) {
    try {
      this._update(await get("/v1/async/overview", { signal }));
      return true;
    } catch (error) {
      // Numbers that were seen stay; the banner says that they are old.
      if (error.name !== "AbortError" && !this.isShown) replace(this.element, problem(error));
      return false;
    }
  }

  _update({ jobs, oldest_queued_seconds: oldest, workers, history, store }) {
    if (!this.isShown) this._show();
    const used = workers.reduce((sum, worker) => sum + worker.running, 0);
    const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
    this._tile("queued", count(jobs.queued), "for a worker, or their turn");
    this._tile("waiting", count(jobs.waiting), "to be tried again later");
    this._tile("in_progress", count(jobs.in_progress), "with a worker now");
    this._tile(
      "oldest",
      oldest === null ? "–" : duration(oldest),
      "in the queue",
      oldest > LONG_WAIT_SECONDS,
    );
    this._tile(
      "slots",
      `${count(used)} / ${count(slots)}`,
      "provider calls at once",
      slots === 0,
      used / slots,
    );
    this._memory(store);
    this.chart.update(history);
    this._workers(workers);
  }

  _show() {
    const tile = (name, label) => {
      const parts = {
        value: h("dd", { class: "tile-value" }, "–"),
        note: h("dd", { class: "tile-note" }),
        bar: bar(),
      };
      parts.element = h(
        "div",
        { class: "tile", "data-tile": name },
        h("dt", {}, label),
        parts.value,
        parts.note,
        h("dd", {}, parts.bar.element),
      );
      this.tiles.set(name, parts);
      return parts.element;
    };
    const tiles = [
      tile("queued", "Queued"),
      tile("waiting", "Waiting"),
      tile("in_progress", "In progress"),
      tile("oldest", "Oldest"),
      tile("slots", "Slots used"),
      tile("memory", "Store memory"),
    ];
    const history = card("The last hour, by minute", this.chart.element);
    const workers = card("Workers", this.workers);
    replace(this.element, h("dl", { class: "tiles" }, tiles), history, workers, this.usage.element);
    this.isShown = true;
  }

  _tile(name, value, note, isWarning = false, share = null) {
    const tile = this.tiles.get(name);
    setText(tile.value, value);
    setText(tile.note, note);
    tile.element.classList.toggle("is-warning", isWarning);
    tile.bar.show(share);
  }

  _memory({ used_memory_bytes: used, max_memory_bytes: most }) {
    const share = most ? used / most : null;
    this._tile(
      "memory",
      bytes(used),
      most ? `of ${bytes(most)}` : "no limit is set",
      share > 0.8,
      share,
    );
  }

  _workers(workers) {
    if (!workers.length) {
      const text = h("p", {}, "Jobs are accepted and wait. Start one with: muninn worker");
      replace(
        this.workers,
        h("li", { class: "alone" }, placeholder("No worker is running.", text)),
      );
      return;
    }
    replace(this.workers, workers.map(workerRow));
  }
}

function workerRow(worker) {
  const slots = bar();
  slots.show(worker.slots ? worker.running / worker.slots : 0);
  const seen = (now() - Date.parse(worker.seen_at)) / 1000;
  const started = (now() - Date.parse(worker.started_at)) / 1000;
  return h(
    "li",
    { class: "worker" },
    h(
      "div",
      { class: "worker-name" },
      h("strong", {}, worker.host),
      h("span", { class: "muted" }, `process ${worker.pid}, version ${worker.version}`),
    ),
    h(
      "div",
      { class: "worker-slots" },
      `${count(worker.running)} of ${count(worker.slots)} slots`,
      slots.element,
    ),
    h(
      "div",
      { class: "worker-times muted" },
      `up ${age(started)}, seen ${seen < 2 ? "just now" : `${age(seen)} ago`}`,
    ),
  );
}

/** A bar that shows a share of 1; nothing for null. */
function bar() {
  const fill = h("span", { class: "meter-fill" });
  const element = h("span", { class: "meter", "aria-hidden": "true" }, fill);
  const show = (share) => {
    element.hidden = share === null || Number.isNaN(share);
    fill.style.width = `${Math.min(1, share || 0) * 100}%`;
    element.classList.toggle("is-full", share > 0.9);
  };
  return { element, show };
}
