// The gateway's time: ages are counted by its clock, for this device's may be wrong.

// The date of an answer is in whole seconds, and old by its journey.
const TOLERANCE_MS = 3000;

let behindMs = 0;

/** Note the `date` of an answer. */
export function noteServerTime(text) {
  const difference = Date.parse(text ?? "") - Date.now();
  if (Number.isNaN(difference)) return;
  behindMs = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
}

/** Milliseconds since 1970, on the gateway's clock. */
export const now = () => Date.now() + behindMs;
