// What was used, by day and key: a chart of the days and a table of the keys.

import { get } from "./api.js";
import { below, drawnToFit, explorable, frame, levels, ticks, Tip } from "./axes.js";
import { h, replace, set, svg } from "./dom.js";
import { count, day, money, short, shortMoney } from "./format.js";
import { announce, card, placeholder, problem } from "./parts.js";

const HEIGHT = 170;
const DAYS = [7, 30];
const WIDEST_BAR = 56;

const MEASURES = {
  total_cost: { word: "Cost", shown: money, axis: shortMoney, isWhole: false },
  tokens: { word: "Tokens", shown: count, axis: short, isWhole: true },
  calls: { word: "Calls", shown: count, axis: short, isWhole: true },
};

/** The card; `refresh(signal)` asks for the numbers again. */
export class UsageCard {
  constructor() {
    this.days = DAYS[0];
    this.measure = "total_cost";
    this.rows = null;
    this.tip = new Tip();
    this.svg = svg("svg", { class: "chart", height: HEIGHT, tabindex: "0", role: "img" });
    this.surface = h("div", { class: "chart-surface" }, this.svg, this.tip.element);
    this.table = h("div", {
      class: "scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "Usage by day and key",
    });
    this.body = h("div");
    this.element = card("Usage", this._controls(), this.body);
    this.element.classList.add("usage");
    this.redraw = drawnToFit(this.surface, (width) => this._draw(width));
    explorable(this.svg, {
      at: (x) => this._dayAt(x),
      places: () => this.totals.length,
      choose: (place) => this._choose(place),
    });
  }

  async refresh(signal) {
    this.signal = signal;
    try {
      const { data } = await get(`/v1/usage?days=${this.days}`, { signal });
      this.rows = data.map((row) => ({
        ...row,
        tokens: row.input_tokens + row.output_tokens,
        calls: row.requests + row.jobs,
      }));
      this._show();
    } catch (error) {
      if (error.name !== "AbortError" && this.rows === null) replace(this.body, problem(error));
    }
  }

  _controls() {
    const choice = (label, options, chosen, choose) =>
      h(
        "select",
        { "aria-label": label, on: { change: (event) => choose(event.target.value) } },
        options.map(([value, word]) =>
          h("option", { value, selected: String(value) === String(chosen) }, word),
        ),
      );
    const measures = Object.entries(MEASURES).map(([name, { word }]) => [name, word]);
    return h(
      "div",
      { class: "card-controls" },
      choice("What to chart", measures, this.measure, (name) => {
        this.measure = name;
        this._show();
      }),
      choice(
        "How many days",
        DAYS.map((days) => [days, `${days} days`]),
        this.days,
        (days) => {
          this.days = Number(days);
          this.refresh(this.signal);
        },
      ),
    );
  }

  _show() {
    if (!this.rows.length) {
      replace(this.body, placeholder("Nothing was used on these days."));
      return;
    }
    this.totals = byDay(this.rows, this.days);
    if (this.surface.parentNode !== this.body) replace(this.body, this.surface, this.table);
    this._fillTable();
    this.redraw();
  }

  _draw(width) {
    if (!this.rows?.length) return;
    this.width = width;
    const { isWhole, shown, axis, word } = MEASURES[this.measure];
    const values = ticks(Math.max(...this.totals.map((total) => total[this.measure])), isWhole);
    this.frame = frame(width, HEIGHT, values.at(-1));
    set(this.svg, "width", width);
    set(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    set(this.svg, "aria-label", `${word} by day, in UTC. Use the arrow keys to read each day.`);
    replace(this.svg, levels(this.frame, values, axis), this._bars(), this._labels());
  }

  get _step() {
    const { left, right } = this.frame.plot;
    return (right - left) / this.totals.length;
  }

  _middle(place) {
    return this.frame.plot.left + (place + 0.5) * this._step;
  }

  _bars() {
    const width = Math.min(this._step * 0.7, WIDEST_BAR);
    return this.totals.map((total, place) => {
      const y = this.frame.y(total[this.measure]);
      const at = {
        x: this._middle(place) - width / 2,
        y,
        width,
        height: this.frame.plot.bottom - y,
      };
      return svg("rect", { class: "bar usage", rx: 2, ...at });
    });
  }

  _labels() {
    const every = Math.ceil(52 / this._step);
    const isLabelled = (place) => (this.totals.length - 1 - place) % every === 0;
    return this.totals.map(
      ({ date }, place) => isLabelled(place) && below(this.frame, this._middle(place), day(date)),
    );
  }

  _dayAt(x) {
    const place = Math.floor((x - this.frame.plot.left) / this._step);
    return place >= 0 && place < this.totals.length ? place : null;
  }

  _choose(place) {
    if (place === null) {
      this.tip.hide();
      return;
    }
    const total = this.totals[place];
    const row = ([name, { word, shown }]) =>
      h("div", { class: "tip-row" }, word, h("b", {}, shown(total[name])));
    const rows = Object.entries(MEASURES).map(row);
    this.tip.show(
      this._middle(place),
      this.width,
      h("div", { class: "tip-title" }, day(total.date)),
      rows,
    );
    const { word, shown } = MEASURES[this.measure];
    if (this.svg.matches(":focus-visible"))
      announce(`${day(total.date)}: ${word} ${shown(total[this.measure])}`);
  }

  _fillTable() {
    const heads = ["Day", "Key", "Cost", "Tokens in", "Tokens out", "Direct calls", "Jobs"];
    const numbers = (row) =>
      [row.input_tokens, row.output_tokens, row.requests, row.jobs].map(count);
    const line = (row) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, day(row.date)),
        h("td", { class: "name" }, row.key ?? "(no key)"),
        [money(row.total_cost), ...numbers(row)].map((text) => h("td", {}, text)),
      );
    const rows = [...this.rows].sort(
      (a, b) => b.date.localeCompare(a.date) || b.total_cost - a.total_cost,
    );
    const head = h(
      "tr",
      {},
      heads.map((word) => h("th", { scope: "col" }, word)),
    );
    replace(this.table, h("table", {}, h("thead", {}, head), h("tbody", {}, rows.map(line))));
  }
}

/** All keys together, for each of the last days, those of no use as well. */
function byDay(rows, days) {
  const last = rows
    .map((row) => row.date)
    .sort()
    .at(-1);
  const today = new Date().toISOString().slice(0, 10);
  const end = Date.parse(last > today ? last : today);
  const totals = new Map();
  for (let back = days - 1; back >= 0; back -= 1) {
    const date = new Date(end - back * 86_400_000).toISOString().slice(0, 10);
    totals.set(date, { date, total_cost: 0, tokens: 0, calls: 0 });
  }
  for (const row of rows) {
    const total = totals.get(row.date);
    if (total) for (const name of Object.keys(MEASURES)) total[name] += row[name] ?? 0;
  }
  return [...totals.values()];
}
