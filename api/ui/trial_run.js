// Sends a request in one of the three ways that the gateway knows, and feeds what comes back to a
// result: `opened()`, `event(event)`, `answer(response)`, `job(id)`.

import { ApiError, send } from "./api.js";
import { eventsOf, isEnd } from "./events.js";

const PATH = "/v1/responses";

/** Wait for the whole answer. */
export async function inline(body, result, signal) {
  const response = await send("POST", PATH, {
    body: { ...body, stream: false, background: undefined },
    signal,
  });
  result.answer(await response.json());
}

/** Read the answer as it comes. */
export async function stream(body, result, signal) {
  const response = await send("POST", PATH, {
    body: { ...body, stream: true, background: undefined },
    signal,
  });
  result.opened();
  for await (const event of eventsOf(response.body)) {
    if (event.data.type === "error") throw streamError(event.data);
    result.event(event.data);
    if (isEnd(event)) {
      // An event says beside its response who served.
      result.answer({ extra_fields: event.data.extra_fields, ...event.data.response });
      return;
    }
  }
  throw new ApiError(502, { error: { message: "The stream broke off before its end." } });
}

/**
 * Make it a job whose events are kept, so that its page can show them as they come. Leaving its
 * stream right away does nothing to the job.
 */
export async function job(body, result, signal) {
  const response = await send("POST", PATH, {
    body: { ...body, stream: true, background: true },
    signal,
  });
  for await (const { data } of eventsOf(response.body)) {
    if (data.type === "error") throw streamError(data);
    result.job(data.response.id);
    return;
  }
}

function streamError(event) {
  const error = event.error ?? event;
  return new ApiError(error.status_code ?? 502, { error });
}
