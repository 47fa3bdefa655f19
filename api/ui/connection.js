// Whether the front answers, for the banner that says when it does not.

/** "change" is dispatched with `state`: "well", "gone" (no front) or "no-store" (no Redis). */
export const connection = new EventTarget();

let state = "well";

export const isWell = () => become("well");
export const isGone = () => become("gone");
export const hasNoStore = () => become("no-store");

function become(next) {
  if (state === next) return;
  state = next;
  connection.dispatchEvent(new CustomEvent("change", { detail: state }));
}
