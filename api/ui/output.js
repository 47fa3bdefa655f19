// The output of a response on the page, as it grows and when it is whole. All of it is text.

import { h, replace } from "./dom.js";

const TITLES = {
  text: null,
  refusal: "Refusal",
  reasoning: "Reasoning",
  call: "Function call",
  other: "Output item",
};

const CHARACTERS_PER_MS = 1000;

// Which kind of block the deltas of an event belong to.
const DELTAS = {
  "response.output_text.delta": "text",
  "response.refusal.delta": "refusal",
  "response.reasoning_summary_text.delta": "reasoning",
  "response.reasoning_text.delta": "reasoning",
  "response.function_call_arguments.delta": "call",
};

/**
 * A text that grows. Long text takes long to lay out, so the longer it is, the more of what comes is
 * put into the page at once.
 */
class GrowingText {
  constructor() {
    this.node = document.createTextNode("");
    this.waiting = "";
    this.timer = null;
  }

  get data() {
    return this.node.data + this.waiting;
  }

  set data(text) {
    this.waiting = "";
    // Only what differs is touched: somebody may be selecting it.
    if (this.node.data !== text) this.node.data = text;
  }

  append(text) {
    this.waiting += text;
    if (this.node.length === 0) this._flush();
    else this.timer ??= setTimeout(() => this._flush(), this.node.length / CHARACTERS_PER_MS);
  }

  _flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.node.appendData(this.waiting);
    this.waiting = "";
  }
}

/** Shows an output; `element` is where. Feed it events, or whole responses. */
export class OutputView {
  constructor() {
    this.element = h("div", { class: "output" });
    this.clear();
  }

  clear() {
    this.blocks = new Map();
    this.items = new Map();
    replace(this.element);
  }

  get isEmpty() {
    return this.blocks.size === 0;
  }

  /** The text of all blocks, for copying. */
  get text() {
    return [...this.blocks.values()].map((block) => block.text.data).join("\n\n");
  }

  /** Take an event of the Responses protocol into account. */
  apply(event) {
    const { type, response, extra_fields: extra = {} } = event;
    if (extra.restarted) this.clear();
    else if (extra.snapshot) this.show(response.output);
    else if (type === "response.output_item.added") this.items.set(event.output_index, event.item);
    else if (DELTAS[type]) this._append(event, DELTAS[type]);
    else if (type === "response.completed" || type === "response.incomplete")
      this.show(response.output);
  }

  /** Show the items of an output, in the place of what was there. */
  show(output) {
    const wanted = new Map(blocksOf(output ?? []));
    for (const [place, block] of this.blocks) {
      if (wanted.has(place)) continue;
      block.element.remove();
      this.blocks.delete(place);
    }
    for (const [place, { kind, text, title }] of wanted) {
      this._block(place, kind, title).text.data = text;
    }
  }

  _append(event, kind) {
    const part = event.content_index ?? event.summary_index ?? 0;
    const name = this.items.get(event.output_index)?.name;
    const title = kind === "call" && name ? `Function call: ${name}` : null;
    this._block(`${event.output_index}/${kind}/${part}`, kind, title).text.append(event.delta);
  }

  _block(place, kind, title) {
    if (!this.blocks.has(place)) {
      const text = new GrowingText();
      const shownTitle = title ?? TITLES[kind];
      const element = h(
        "section",
        { class: `block ${kind}` },
        shownTitle && h("h3", {}, shownTitle),
        h("div", { class: "block-text" }, text.node),
      );
      this.blocks.set(place, { element, text });
      this.element.append(element);
    }
    return this.blocks.get(place);
  }
}

function* blocksOf(output) {
  for (const [index, item] of output.entries()) {
    if (item.type === "message") yield* partsOf(item.content, index);
    else if (item.type === "reasoning")
      yield* partsOf([...(item.summary ?? []), ...(item.content ?? [])], index);
    else if (item.type === "function_call") {
      yield [
        `${index}/call/0`,
        { kind: "call", text: item.arguments ?? "", title: `Function call: ${item.name}` },
      ];
    } else {
      const text = JSON.stringify(item, null, 2);
      yield [`${index}/other/0`, { kind: "other", text, title: `Output item: ${item.type}` }];
    }
  }
}

function* partsOf(parts, index) {
  for (const [number, part] of (parts ?? []).entries()) {
    const kind =
      part.type === "refusal" ? "refusal" : part.type === "output_text" ? "text" : "reasoning";
    const text = part.text ?? part.refusal ?? "";
    if (text) yield [`${index}/${kind}/${number}`, { kind, text }];
  }
}
