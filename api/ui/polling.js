// Asking again and again, as long as somebody looks.

const SLOWEST_MS = 4000;

/**
 * Do `work` now and then every so often until `signal` is aborted. While the page is hidden it
 * rests. After a failure it asks at the same pace, and slower if that goes on: `work` has to deal
 * with errors itself, and returns false for a failure, or "done" when there is nothing more to ask.
 *
 * Returns a function that asks at once.
 */
export function poll(work, everyMs, signal) {
  let wake = () => {};
  let failures = 0;
  let isAsked = false;

  async function run() {
    let again = true;
    while (again && !signal.aborted) {
      isAsked = false;
      const outcome = document.hidden ? true : await work();
      again = outcome !== "done";
      failures = outcome === false ? failures + 1 : 0;
      const pause = Math.min(everyMs * 2 ** Math.max(0, failures - 2), SLOWEST_MS);
      if (again && !isAsked) await rest(document.hidden ? Infinity : Math.max(pause, everyMs));
    }
  }

  function rest(milliseconds) {
    return new Promise((resolve) => {
      const timer = milliseconds === Infinity ? null : setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  document.addEventListener("visibilitychange", () => wake(), { signal });
  window.addEventListener("online", () => wake(), { signal });
  signal.addEventListener("abort", () => wake(), { once: true });
  run();
  return () => {
    isAsked = true;
    wake();
  };
}
