// What came back of a trial: the output as it comes, how long it took, what it cost, who served.

import { h, replace, setText } from "./dom.js";
import { duration, pretty } from "./format.js";
import { answerFacts, usageFacts } from "./job_facts.js";
import { OutputView } from "./output.js";
import { card, codeBlock, disclosure, facts, problem } from "./parts.js";

const TICK_MS = 100;

/** The result of one request, from when it is sent. */
export class Result {
  constructor() {
    this.sentAt = performance.now();
    this.firstAt = null;
    this.output = new OutputView();
    this.note = h("p", { class: "muted", role: "status" }, "Waiting for the answer …");
    this.time = h("strong", {}, "0 ms");
    this.details = h("div");
    this.element = card(
      "Answer",
      h("div", { class: "card-controls muted" }, this.time),
      this.note,
      this.output.element,
      this.details,
    );
    this.element.classList.add("is-live");
    this.timer = setInterval(() => this._tick(), TICK_MS);
  }

  opened() {
    setText(this.note, "The stream is open.");
  }

  event(event) {
    this.output.apply(event);
    if (this.output.isEmpty || this.firstAt !== null) return;
    this.firstAt = performance.now();
    this.note.hidden = true;
  }

  answer(response) {
    this.end();
    this.output.show(response.output);
    this.note.hidden = !this.output.isEmpty;
    setText(this.note, "The output is empty.");
    const first = this.firstAt === null ? null : duration((this.firstAt - this.sentAt) / 1000);
    const rows = [
      ["Time", this.time.textContent],
      ["First words after", first],
      ...usageFacts(response.usage),
      ...answerFacts(response),
    ];
    const error =
      response.error &&
      problem({
        message: response.error.message,
        code: response.error.code,
        status: response.status,
      });
    replace(
      this.details,
      error,
      facts(rows),
      extraFields(response),
      disclosure("The whole response", codeBlock(pretty(response), "the response")),
    );
  }

  fail(error) {
    this.end();
    if (error.name === "AbortError") {
      this.note.hidden = false;
      setText(this.note, "Stopped. The gateway has closed its call to the provider.");
      return;
    }
    this.note.hidden = true;
    const whole =
      error.body && disclosure("The whole answer", codeBlock(pretty(error.body), "the answer"));
    replace(this.details, problem(error), whole);
  }

  /** The clock stops; once. */
  end() {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.element.classList.remove("is-live");
    this._tick();
  }

  _tick() {
    setText(this.time, duration((performance.now() - this.sentAt) / 1000));
  }
}

function extraFields({ extra_fields: extra }) {
  return (
    extra &&
    disclosure("extra_fields", codeBlock(pretty(extra), "the extra fields"), { open: true })
  );
}
