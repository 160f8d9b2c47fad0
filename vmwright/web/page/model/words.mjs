// How states, times and sizes are written. Pure.

export const STATES = [
  "queued", "running", "undoing", "interrupted", "stuck", "parked", "done", "undone", "cancelled",
];
export const ENDED = new Set(["done", "undone", "cancelled"]);
export const STANDING_STILL = new Set(["stuck", "parked"]);

/** The tone of vmwright/views/palette.py that an operation's state has. */
export const TONES = {
  queued: "pending", running: "running", undoing: "reverting", interrupted: "reverting",
  stuck: "failure", parked: "ignore", done: "success", undone: "reverted", cancelled: "reverted",
};

export const TASK_WORDS = {
  PENDING: "pending", RUNNING: "running", SUCCESS: "done", FAILURE: "failed",
  REVERTING: "undoing", REVERTED: "undone", IGNORE: "ignored",
};

export const VM_TONES = {
  building: "running", active: "success", stopped: "ignore", error: "failure", deleted: "reverted",
};

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.0005) return "< 1 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${pad(Math.round(seconds) % 60)} s`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** As `duration`, for what changes every second: without parts of one. */
export function age(seconds) {
  if (seconds === null) return "";
  return seconds < 59.5 ? `${Math.max(0, Math.round(seconds))} s` : duration(seconds);
}

/** How long ago, roughly. */
export function ago(seconds) {
  if (seconds < 3) return "just now";
  if (seconds < 59.5) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}

// Made once: to make one takes longer than to write a hundred times with it.
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export const clock = (milliseconds) => TIME.format(milliseconds);

export function dateAndTime(text) {
  return text ? DAY_AND_TIME.format(Date.parse(text)) : "";
}

export function bytes(number) {
  if (number === null || number === undefined) return "";
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (number >= size) return `${(number / size).toFixed(number >= 10 * size ? 0 : 1)} ${unit}`;
  }
  return `${number} B`;
}

export const short = (id) => id.slice(0, 8);

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

const pad = (number) => String(number).padStart(2, "0");
