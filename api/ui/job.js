// One job: what was asked, what comes out of it, how long it takes, and what can be done with it.

import { get, jobPath } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { pretty } from "./format.js";
import { follow } from "./follow.js";
import { Actions } from "./job_actions.js";
import { answerFacts, errorOf, jobFacts, webhookFacts } from "./job_facts.js";
import { OutputView } from "./output.js";
import {
  announce,
  button,
  card,
  chip,
  codeBlock,
  copyText,
  disclosure,
  facts,
  isEnded,
  jsonBlock,
  loading,
  placeholder,
  problem,
  showOnce,
  statusWord,
} from "./parts.js";
import { poll } from "./polling.js";
import { TimingBar } from "./timing.js";

export const title = "Job";

const EVERY_MS = 2000;

export function mount(place, { id, query }, signal) {
  new JobView(place, id, query.get("of"), signal);
}

class JobView {
  /** `origin` is the job that this one is a retry of, for who comes from there. */
  constructor(place, id, origin, signal) {
    this.id = id;
    this.origin = origin;
    this.place = place;
    this.signal = signal;
    this.job = null;
    this._fill(h("h1", { tabindex: "-1", class: "visually-hidden" }, `Job ${id}`), loading());
    this.refresh = poll(() => this._refresh(), EVERY_MS, signal);
  }

  async _refresh() {
    try {
      this._show(await get(jobPath(this.id), { signal: this.signal }));
    } catch (error) {
      if (error.name === "AbortError") return "done";
      return this._fail(error);
    }
    const isWebhookPending = this.job.webhook?.status === "pending";
    return isEnded(this.job.status) && !isWebhookPending ? "done" : true;
  }

  _fail(error) {
    if (error.status === 404) {
      const words =
        "It may have been deleted, or its result was kept for as long as it was asked to be.";
      this._fill(
        this._heading("Job not found"),
        placeholder(
          "There is no such job.",
          h("p", {}, words),
          h("a", { class: "button", href: "#/jobs" }, "All jobs"),
        ),
      );
      return "done";
    }
    if (this.job === null) this._fill(this._heading("Job"), problem(error));
    return false;
  }

  /** Show this in the view; who was at its heading is at the new one. */
  _fill(...content) {
    const hadFocus = this.place.contains(document.activeElement);
    replace(this.place, content);
    if (hadFocus) this.place.querySelector("h1").focus({ preventScroll: true });
  }

  _heading(text) {
    return h("h1", { tabindex: "-1" }, text);
  }

  _show(job) {
    const before = this.job?.status;
    this.job = job;
    if (before === undefined) this._lay();
    if (before !== undefined && before !== job.status)
      announce(`Status: ${statusWord(job.status)}.`);
    this.chip.show(job.status);
    setText(this.model, job.model);
    this.actions.show(job);
    this.timing.show(job);
    showOnce(this.error, pretty(job.error ?? null), () => errorOf(job));
    showOnce(this.facts, pretty(factsKey(job)), () => facts(jobFacts(job, this.origin)));
    showOnce(
      this.hook,
      pretty(job.webhook ?? null),
      () => job.webhook && card("Webhook", facts(webhookFacts(job.webhook))),
    );
    this._showOutput(job);
  }

  /** The parts of the page; once. */
  _lay() {
    this.chip = chip();
    this.model = h("span", {});
    this.actions = new Actions(this.id, this.refresh);
    this.timing = new TimingBar(this.signal);
    this.error = h("div");
    this.facts = h("div");
    this.hook = h("div");
    this.output = new OutputView();
    this.outputNote = h("p", { class: "muted", role: "status" });
    this.answer = h("div");
    this.request = h("div", {}, loading());
    const copyId = h(
      "button",
      {
        class: "copy-id",
        type: "button",
        title: "Copy the id",
        on: { click: () => copyText(this.id, "the job's id") },
      },
      this.id,
    );
    this.copy = button("Copy", () => copyText(this.output.text, "the output"), {
      class: "button small",
      "aria-label": "Copy the output",
    });
    this.outputCard = card(
      "Output",
      h("div", { class: "card-controls" }, this.copy),
      this.outputNote,
      this.output.element,
      this.answer,
    );
    this._fill(
      h("p", { class: "crumbs" }, h("a", { href: "#/jobs" }, "Jobs")),
      h(
        "div",
        { class: "job-head" },
        h(
          "div",
          { class: "job-title" },
          h("h1", { tabindex: "-1" }, this.model),
          this.chip.element,
        ),
        copyId,
        this.actions.element,
      ),
      this.error,
      card("Time", this.timing.element),
      this.outputCard,
      card("Details", this.facts),
      card("Request", this.request),
      this.hook,
    );
    this._loadRequest();
  }

  async _loadRequest() {
    try {
      const request = await get(jobPath(this.id, "/request"), { signal: this.signal });
      replace(this.request, jsonBlock(request, "the request"));
      this.actions.request = request;
    } catch (error) {
      if (error.name === "AbortError") return;
      const isDropped = error.code === "request_not_kept";
      replace(
        this.request,
        isDropped
          ? h("p", { class: "muted" }, "The request was long, and is not kept after the job's end.")
          : problem(error),
      );
    }
  }

  _showOutput(job) {
    if (job.result) this._showAnswer(job.result);
    else if (isEnded(job.status))
      this._note(this.output.isEmpty ? "No output." : "All that came before the job ended.");
    else this._follow(job);
  }

  /** The output as it comes. Whoever has the stream's end asks for the job at once. */
  _follow(job) {
    const waits = { pending: "Waiting for a worker.", processing: "Waiting for the first words." };
    this._note(this.output.isEmpty ? waits[job.status] : "Live");
    this.outputCard.classList.toggle("is-live", job.status === "processing");
    if (this.isFollowing) return;
    this.isFollowing = true;
    const live = {
      apply: (event) => {
        this.output.apply(event);
        if (!this.output.isEmpty) this._note("Live");
      },
      show: (output) => this.output.show(output),
    };
    follow(this.id, live, this.signal).then(() => this.refresh());
  }

  _showAnswer(result) {
    this.output.show(result.output);
    this._note(this.output.isEmpty ? "The output is empty." : "");
    showOnce(this.answer, result.id ?? "answer", () => [
      facts(answerFacts(result)),
      disclosure("The whole response", codeBlock(pretty(result), "the response")),
    ]);
  }

  _note(text) {
    setText(this.outputNote, text);
    this.outputNote.hidden = !text;
    this.copy.hidden = this.output.isEmpty;
    if (this.job.result || isEnded(this.job.status)) this.outputCard.classList.remove("is-live");
  }
}

/** What the details show of a job, so that they are made anew only when that has changed. */
function factsKey({ result, webhook, ...rest }) {
  return { ...rest, usage: result?.usage };
}
