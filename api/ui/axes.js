// What charts have in common: round numbers at an axis, its lines and labels, and the hovering tip.

import { h, replace, svg } from "./dom.js";

const MARGIN = { left: 46, right: 10, top: 12, bottom: 26 };

/** Round numbers from 0 to at least `most`, at most five steps. */
export function ticks(most, isWhole = true) {
  const rough = (most || 1) / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const fitting = [1, 2, 5, 10]
    .map((factor) => factor * size)
    .find((step) => step >= rough * 0.999);
  const step = isWhole ? Math.max(1, fitting) : fitting;
  const found = [];
  for (let number = 0; number <= Math.ceil(most / step - 1e-9); number += 1)
    found.push(number * step);
  return found.length > 1 ? found : [0, step];
}

/** Where things are in a chart of this size: `y(value)`, and `plot` with its edges. */
export function frame(width, height, top) {
  const plot = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const y = (value) => plot.bottom - (value / top) * (plot.bottom - plot.top);
  return { plot, y };
}

/** The lines across, with their numbers at the left. */
export function levels({ plot, y }, values, word) {
  return values.map((value) => [
    svg("line", {
      class: value ? "grid" : "axis",
      x1: plot.left,
      x2: plot.right,
      y1: y(value),
      y2: y(value),
    }),
    svg(
      "text",
      { class: "tick", x: plot.left - 8, y: y(value), dy: "0.32em", "text-anchor": "end" },
      word(value),
    ),
  ]);
}

/** A label under the plot. */
export function below({ plot }, x, text, anchor = "middle") {
  return svg("text", { class: "tick", x, y: plot.bottom + 18, "text-anchor": anchor }, text);
}

/** A box with details beside what is pointed at. */
export class Tip {
  constructor() {
    this.element = h("div", { class: "tip", hidden: true });
  }

  /** `x` is where it points, in a chart that is so wide. */
  show(x, width, ...content) {
    replace(this.element, content);
    this.element.hidden = false;
    const own = this.element.offsetWidth;
    const left = x + 14 + own > width ? x - 14 - own : x + 14;
    this.element.style.left = `${Math.max(0, left)}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

/**
 * Let a chart be explored by mouse, touch and keyboard. `at(x)` says which place is under x,
 * `places()` how many there are, and `choose(place or null)` shows one.
 */
export function explorable(surface, { at, places, choose }) {
  let chosen = null;
  const pick = (place) => {
    chosen = place;
    choose(place);
  };
  const point = (event) => pick(at(event.clientX - surface.getBoundingClientRect().left));
  surface.addEventListener("pointermove", point);
  surface.addEventListener("pointerdown", point);
  surface.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && pick(null));
  surface.addEventListener("blur", () => pick(null));
  surface.addEventListener("keydown", (event) => {
    const last = places() - 1;
    const steps = {
      ArrowLeft: () => Math.max(0, (chosen ?? last + 1) - 1),
      ArrowRight: () => Math.min(last, (chosen ?? last - 1) + 1),
      Home: () => 0,
      End: () => last,
      Escape: () => null,
    };
    if (!steps[event.key]) return;
    event.preventDefault();
    pick(steps[event.key]());
  });
}

/** Call `draw(width)` now and whenever the element's width changes. */
export function drawnToFit(element, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const next = Math.floor(entry.contentRect.width);
    if (next === width || next === 0) return;
    width = next;
    draw(width);
  }).observe(element);
  return () => width && draw(width);
}
