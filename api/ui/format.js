// Numbers and times in words for people.

const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

/** A length of time: `0.42 s`, `12 s`, `3 min 5 s`, `2 d 4 h`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const length = Math.max(0, seconds);
  if (length < 0.9995) return `${Math.round(length * 1000)} ms`;
  if (length < 9.95) return `${length.toFixed(1)} s`;
  if (length < 59.5) return `${Math.round(length)} s`;
  return inTwoUnits(Math.round(length));
}

function inTwoUnits(seconds) {
  const at = UNITS.findIndex(([size]) => seconds >= size);
  const [size, name] = UNITS[at];
  const [nextSize, nextName] = UNITS[at + 1] ?? [1, "s"];
  const rest = Math.floor((seconds % size) / nextSize);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${nextName}` : ""}`;
}

/** How long ago, in the one unit that matters: `now`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function age(seconds) {
  if (seconds < 1) return "now";
  const [size, name] = UNITS.find(([least]) => seconds >= least) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${name}`;
}

/** 12345 as the reader's language groups it. */
export const count = (number) =>
  number === null || number === undefined ? "–" : number.toLocaleString();

/** 1234567 in short: `1.2M`. */
export function short(number) {
  return new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(
    number,
  );
}

/** US dollars, with as many digits as a small amount needs. */
export function money(dollars) {
  if (dollars === null || dollars === undefined) return "–";
  if (dollars === 0) return "$0";
  // Never as 5e-7, which is what a number that small becomes of itself.
  if (dollars < 0.01)
    return `$${dollars.toLocaleString(undefined, { maximumSignificantDigits: 2 })}`;
  return `$${dollars.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** The same for an axis: `$15`, `$1.2K`, `$0.005`. */
export function shortMoney(dollars) {
  return dollars >= 1 || dollars === 0
    ? `$${short(dollars)}`
    : `$${Number(dollars.toPrecision(2))}`;
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(size) {
  if (size === null || size === undefined) return "–";
  const at = size < 1 ? 0 : Math.min(Math.floor(Math.log2(size) / 10), SIZES.length - 1);
  const value = size / 1024 ** at;
  return `${at && value < 10 ? value.toFixed(1) : Math.round(value)} ${SIZES[at]}`;
}

/** A moment by the reader's clock and calendar. */
export function moment(text) {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Hours and minutes. */
export function clockTime(text) {
  return new Date(text).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

/** A day of UTC, as the usage counts them. */
export function day(text) {
  const options = { day: "numeric", month: "short", timeZone: "UTC" };
  return new Date(`${text}T00:00:00Z`).toLocaleDateString(undefined, options);
}

/** JSON for reading. */
export const pretty = (value) => JSON.stringify(value, null, 2);
