// The last hour by minute: what came in as a line, what ended as stacked bars.

import { below, drawnToFit, explorable, frame, levels, ticks, Tip } from "./axes.js";
import { h, replace, set, setText, svg } from "./dom.js";
import { clockTime, count, short } from "./format.js";
import { announce } from "./parts.js";

const HEIGHT = 230;
const ENDINGS = ["completed", "failed", "cancelled"];
const SERIES = ["submitted", ...ENDINGS];
const WORDS = {
  submitted: "Submitted",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};
const LABEL_EVERY_MINUTES = 10;

/** The chart; `update(history)` draws the minutes as the overview has them. */
export class HistoryChart {
  constructor() {
    this.history = [];
    this.chosen = null;
    this.tip = new Tip();
    this.svg = svg("svg", { class: "chart", height: HEIGHT, tabindex: "0", role: "img" });
    this.empty = h("p", { class: "chart-empty" }, "No jobs in the last hour.");
    this.totals = new Map(SERIES.map((name) => [name, h("strong", {}, "0")]));
    this.surface = h("div", { class: "chart-surface" }, this.svg, this.tip.element, this.empty);
    this.element = h("div", {}, this._legend(), this.surface, this._table());
    this.redraw = drawnToFit(this.surface, (width) => this._draw(width));
    explorable(this.svg, {
      at: (x) => this._minuteAt(x),
      places: () => this.history.length,
      choose: (place) => this._choose(place),
    });
  }

  update(history) {
    this.history = history;
    const total = (name) => history.reduce((sum, minute) => sum + minute[name], 0);
    for (const [name, element] of this.totals) setText(element, count(total(name)));
    const words = SERIES.map((name) => `${count(total(name))} ${name}`).join(", ");
    set(
      this.svg,
      "aria-label",
      `Jobs in the last hour: ${words}. Use the arrow keys to read each minute.`,
    );
    this.empty.hidden = SERIES.some((name) => total(name));
    this._fillTable();
    this.redraw();
  }

  _legend() {
    const entry = (name) =>
      h(
        "li",
        {},
        h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
        WORDS[name],
        " ",
        this.totals.get(name),
      );
    return h("ul", { class: "legend" }, SERIES.map(entry));
  }

  _draw(width) {
    this.width = width;
    const most = Math.max(1, ...this.history.map((m) => Math.max(m.submitted, ended(m))));
    const values = ticks(most);
    this.frame = frame(width, HEIGHT, values.at(-1));
    set(this.svg, "width", width);
    set(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    replace(
      this.svg,
      levels(this.frame, values, short),
      this._labels(),
      this._bars(),
      this._line(),
      this._mark(),
    );
    if (this.chosen !== null) this._showTip(this.chosen);
  }

  get _step() {
    const { left, right } = this.frame.plot;
    return (right - left) / Math.max(1, this.history.length);
  }

  _x(place) {
    return this.frame.plot.left + place * this._step;
  }

  _labels() {
    const isNarrow = this.width < 480;
    const every = LABEL_EVERY_MINUTES * (isNarrow ? 2 : 1);
    return this.history.map(({ minute }, place) => {
      const isLabelled = new Date(minute).getMinutes() % every === 0;
      const x = this._x(place) + this._step / 2;
      const fits = x > this.frame.plot.left + 10 && x < this.frame.plot.right - 14;
      return isLabelled && fits && below(this.frame, x, clockTime(minute));
    });
  }

  _bars() {
    const gap = Math.min(2, this._step * 0.2);
    return this.history.map((minute, place) => {
      let base = 0;
      return ENDINGS.map((name) => {
        const from = this.frame.y(base);
        base += minute[name];
        const height = from - this.frame.y(base);
        const at = {
          x: this._x(place) + gap / 2,
          y: this.frame.y(base),
          width: this._step - gap,
          height,
        };
        return height > 0 && svg("rect", { class: `bar ${name}`, ...at });
      });
    });
  }

  _line() {
    const points = this.history.flatMap((minute, place) => {
      const y = this.frame.y(minute.submitted);
      return [`${this._x(place)},${y}`, `${this._x(place + 1)},${y}`];
    });
    return svg("polyline", { class: "line submitted", points: points.join(" ") });
  }

  _mark() {
    const { top, bottom } = this.frame.plot;
    this.mark = svg("rect", {
      class: "mark",
      y: top,
      height: bottom - top,
      width: this._step,
      visibility: "hidden",
    });
    return this.mark;
  }

  _minuteAt(x) {
    const place = Math.floor((x - this.frame.plot.left) / this._step);
    return place >= 0 && place < this.history.length ? place : null;
  }

  _choose(place) {
    this.chosen = place;
    if (place === null) {
      this.tip.hide();
      if (this.mark) set(this.mark, "visibility", "hidden");
      return;
    }
    this._showTip(place);
    if (this.svg.matches(":focus-visible")) announce(this._words(place));
  }

  _showTip(place) {
    const minute = this.history[place];
    const row = (name) =>
      h(
        "div",
        { class: "tip-row" },
        h("span", { class: `swatch ${name}` }),
        WORDS[name],
        h("b", {}, count(minute[name])),
      );
    set(this.mark, "x", this._x(place));
    set(this.mark, "visibility", "visible");
    const middle = this._x(place) + this._step / 2;
    this.tip.show(
      middle,
      this.width,
      h("div", { class: "tip-title" }, clockTime(minute.minute)),
      SERIES.map(row),
    );
  }

  _words(place) {
    const minute = this.history[place];
    return `${clockTime(minute.minute)}: ${SERIES.map((name) => `${minute[name]} ${name}`).join(", ")}`;
  }

  _table() {
    const heads = ["Minute", ...SERIES.map((name) => WORDS[name])].map((word) =>
      h("th", { scope: "col" }, word),
    );
    this.rows = h("tbody");
    this.table = h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "The last hour, by minute" },
      h("table", {}, h("thead", {}, h("tr", {}, heads)), this.rows),
    );
    this.details = h("details", { class: "disclosure", on: { toggle: () => this._fillTable() } });
    replace(this.details, h("summary", {}, "As a table"), this.table);
    return this.details;
  }

  _fillTable() {
    if (!this.details.open) return;
    const busy = this.history.filter((minute) => SERIES.some((name) => minute[name])).reverse();
    const cells = (minute) => SERIES.map((name) => h("td", {}, count(minute[name])));
    const line = (minute) =>
      h("tr", {}, h("th", { scope: "row" }, clockTime(minute.minute)), cells(minute));
    const none = h("tr", {}, h("td", { colspan: SERIES.length + 1 }, "No jobs in the last hour."));
    replace(this.rows, busy.length ? busy.map(line) : none);
  }
}

function ended(minute) {
  return ENDINGS.reduce((sum, name) => sum + minute[name], 0);
}
