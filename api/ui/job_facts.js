// The facts about a job, its answer, its error and its webhook, as names and values.

import { h } from "./dom.js";
import { count, duration, moment, money } from "./format.js";
import { toJob } from "./router.js";

/** `origin` is the id of the job that this one is a retry of. */
export function jobFacts(job, origin) {
  return [
    ["Key", job.key],
    ["Attempts", count(job.attempts)],
    ["Next attempt", job.next_attempt_at && moment(job.next_attempt_at)],
    ["Submitted", moment(job.created_at)],
    ["Started", job.started_at && moment(job.started_at)],
    ["Ended", job.completed_at && moment(job.completed_at)],
    ["Kept until", job.expires_at && moment(job.expires_at)],
    ["Status code", job.status_code],
    ["Retry of", origin && h("a", { href: toJob(origin) }, origin)],
    ...usageFacts(job.result?.usage),
    ...Object.entries(job.metadata ?? {}).map(([name, value]) => [`metadata.${name}`, value]),
  ];
}

/** Tokens and cost. */
export function usageFacts(usage) {
  if (!usage) return [];
  const cached = usage.input_tokens_details?.cached_tokens;
  const reasoning = usage.output_tokens_details?.reasoning_tokens;
  return [
    ["Tokens in", count(usage.input_tokens) + (cached ? ` (${count(cached)} cached)` : "")],
    [
      "Tokens out",
      count(usage.output_tokens) + (reasoning ? ` (${count(reasoning)} reasoning)` : ""),
    ],
    ["Cost", costOf(usage)],
  ];
}

function costOf({ cost }) {
  if (cost === null || cost === undefined) return "no price is known";
  return money(typeof cost === "number" ? cost : cost.total_cost);
}

/** Who answered: the gateway's extra fields in words. */
export function answerFacts({
  id,
  status,
  incomplete_details: incomplete,
  extra_fields: extra = {},
}) {
  return [
    ["Response", id],
    ["Status", status === "completed" ? null : status],
    ["Incomplete", incomplete?.reason],
    ["Provider", extra.provider],
    ["Model asked for", extra.model_requested],
    ["Model that served", extra.model_deployment],
    ["Provider's time", extra.latency === undefined ? null : duration(extra.latency / 1000)],
  ];
}

/** The error box of a job that failed. */
export function errorOf({ error, status_code: status }) {
  if (!error) return null;
  const detail = [status, error.code ?? error.type, error.param && `at ${error.param}`]
    .filter(Boolean)
    .join(" · ");
  return h(
    "div",
    { class: "notice error" },
    h("p", {}, error.message ?? "The job failed."),
    h("p", { class: "notice-detail" }, detail),
  );
}

const WEBHOOK_WORDS = {
  pending: "Not delivered yet",
  delivered: "Delivered",
  given_up: "Given up",
};

export function webhookFacts(webhook) {
  return [
    ["Endpoint", webhook.endpoint],
    ["Status", WEBHOOK_WORDS[webhook.status] ?? webhook.status],
    ["Attempts", count(webhook.attempts)],
    ["Last answer", webhook.last_status_code],
    ["Last error", webhook.last_error],
    ["Next attempt", webhook.next_attempt_at && moment(webhook.next_attempt_at)],
    ["Delivered", webhook.delivered_at && moment(webhook.delivered_at)],
  ];
}
