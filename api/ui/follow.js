// Follows a job's output: by its stream of events, which goes on where it broke off, and by asking
// for the output so far where streams do not get through.

import { get, responsePath, send } from "./api.js";
import { eventsOf, isEnd } from "./events.js";
import { withQuery } from "./query.js";

const PAUSE_MS = 1000;
// So many streams without an event, and it is asked for instead.
const MOST_FAILURES = 3;
const ENDED = new Set(["completed", "failed", "cancelled", "incomplete"]);

/** Feed a job's output into something like an OutputView until the job's end or `signal`'s. */
export async function follow(id, output, signal) {
  let last = null;
  let failures = 0;
  while (!signal.aborted && failures < MOST_FAILURES) {
    let isOpen = false;
    try {
      const events = await open(id, last, signal);
      isOpen = true;
      for await (const event of events) {
        failures = 0;
        last = event.data.sequence_number ?? last;
        output.apply(event.data);
        if (isEnd(event)) return;
      }
      failures += 1;
    } catch (error) {
      if (signal.aborted || error.status === 404) return;
      // A front that is away says nothing about streams.
      if (isOpen || error.status !== undefined) failures += 1;
    }
    await pause(PAUSE_MS, signal);
  }
  await ask(id, output, signal);
}

async function open(id, last, signal) {
  const path = withQuery(responsePath(id), { stream: "true", starting_after: last });
  return eventsOf((await send("GET", path, { signal })).body);
}

async function ask(id, output, signal) {
  while (!signal.aborted) {
    try {
      const response = await get(responsePath(id), { signal });
      output.show(response.output);
      if (ENDED.has(response.status)) return;
    } catch (error) {
      if (error.status === 404) return;
    }
    await pause(PAUSE_MS, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
}
