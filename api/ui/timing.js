// How long a job waited and ran, as a bar of two parts with their lengths beside it.

import { now } from "./clock.js";
import { h, setText } from "./dom.js";
import { duration } from "./format.js";
import { isEnded } from "./parts.js";

const TICK_MS = 100;

/** The bar; it grows by itself while the job has not ended. */
export class TimingBar {
  constructor(signal) {
    this.waited = part("waited", "Waited");
    this.ran = part("ran", "Ran");
    this.total = h("strong", {}, "");
    this.bar = h(
      "div",
      { class: "timing-bar", "aria-hidden": "true" },
      this.waited.bar,
      this.ran.bar,
    );
    const total = h("li", { class: "timing-total" }, "In all ", this.total);
    this.element = h(
      "div",
      { class: "timing" },
      this.bar,
      h("ul", { class: "legend" }, this.waited.label, this.ran.label, total),
    );
    const timer = setInterval(() => this._draw(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  show(job) {
    this.job = job;
    this.bar.classList.toggle("is-running", !isEnded(job.status));
    this._draw();
    this.isDone = isEnded(job.status);
  }

  _draw() {
    if (!this.job || this.isDone) return;
    const {
      created_at: created,
      started_at: started,
      completed_at: completed,
      attempts,
    } = this.job;
    const begin = Date.parse(created);
    const end = completed ? Date.parse(completed) : Math.max(now(), begin);
    const start = started ? Math.min(Date.parse(started), end) : end;
    this.waited.show((start - begin) / 1000, end - begin);
    this.ran.show(started ? (end - start) / 1000 : null, end - begin);
    setText(this.ran.word, attempts > 1 ? `Ran, in ${attempts} attempts ` : "Ran ");
    setText(this.total, duration((end - begin) / 1000));
  }
}

function part(name, word) {
  const bar = h("span", { class: `timing-part ${name}` });
  const length = h("strong", {}, "–");
  const shownWord = h("span", {}, `${word} `);
  const label = h(
    "li",
    {},
    h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
    shownWord,
    length,
  );
  const show = (seconds, all) => {
    setText(length, duration(seconds));
    bar.style.flexGrow = seconds === null ? 0 : (seconds * 1000) / Math.max(all, 1);
  };
  return { bar, label, word: shownWord, show };
}
