// What can be done with a job: cancel, retry, delete, and take its request to the trial.

import { del, jobPath, post } from "./api.js";
import { h, replace } from "./dom.js";
import { button, confirm, isEnded, problem, toast } from "./parts.js";
import { go, toJob, toJobs } from "./router.js";
import { setDraft } from "./trial_draft.js";

/** The buttons; `show(job)` offers those that fit its status. */
export class Actions {
  constructor(id, refresh) {
    this.id = id;
    this.refresh = refresh;
    this.request = null;
    this.message = h("div");
    this.cancel = button("Cancel", () => this._cancel(), { class: "button danger" });
    this.retry = button("Retry", () => this._retry(), { class: "button primary" });
    this.edit = button("Open in Try", () => this._edit());
    this.delete = button("Delete", () => this._delete(), { class: "button danger" });
    this.element = h(
      "div",
      {},
      h("div", { class: "actions" }, this.cancel, this.retry, this.edit, this.delete),
      this.message,
    );
  }

  show({ status }) {
    this.cancel.hidden = isEnded(status);
    this.retry.hidden = !isEnded(status);
    this.delete.hidden = !isEnded(status);
  }

  async _cancel() {
    const detail = "What its provider has done until now is lost, and may have to be paid for.";
    if (!(await confirm("Cancel this job?", detail, "Cancel the job"))) return;
    await this._do(async () => {
      await post(jobPath(this.id, "/cancel"));
      toast("The job is cancelled.");
      this.refresh();
    });
  }

  _retry() {
    return this._do(async () => {
      const job = await post(jobPath(this.id, "/retry"));
      toast("The same request is a new job.");
      go(toJob(job.id, { of: this.id }));
    });
  }

  _edit() {
    if (this.request === null) return toast("The request is not kept any more.");
    setDraft(this.request);
    return go("#/try");
  }

  async _delete() {
    const detail = "Its request and its result are removed for good.";
    if (!(await confirm("Delete this job?", detail, "Delete the job"))) return;
    await this._do(async () => {
      await del(jobPath(this.id));
      toast("The job is deleted.");
      go(toJobs());
    });
  }

  async _do(work) {
    const buttons = this.element.querySelectorAll("button");
    for (const each of buttons) each.disabled = true;
    replace(this.message);
    try {
      await work();
    } catch (error) {
      replace(this.message, problem(error));
    } finally {
      for (const each of buttons) each.disabled = false;
    }
  }
}
