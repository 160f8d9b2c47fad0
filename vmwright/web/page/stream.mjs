// What happens, as it happens: one stream for the whole page, read with fetch so that it can show
// the token. It is closed while the page is hidden, and gone on with where it was.
import { headers } from "./api.mjs";
import { reader } from "./model/sse.mjs";
import { forget, token } from "./session.mjs";

const PAUSES = [500, 1000, 2000, 5000, 10000];
// After a longer break it is cheaper to look anew than to hear all that was missed.
const TOO_LONG = 60000;

const listeners = new Set();
const watchers = new Set();
let state = "closed";
let lastId = null;
let closedAt = 0;
let failures = 0;
let abort = null;
let queue = [];
let frame = 0;
let isAskedBefore = false;

/** `heard(events)` gets what happened, at most once a frame; `missed()` is called when some of it
 *  may have been missed: whoever shows something asks for it again. */
export function listen(heard, missed) {
  const listener = { heard, missed };
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tells `closed`, `connecting`, `live` or `waiting`. */
export function watchState(watcher) {
  watchers.add(watcher);
  watcher(state);
  return () => watchers.delete(watcher);
}

export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("online", open);
  if (!document.hidden) open();
}

export function stop() {
  lastId = null;
  close();
}

export async function open() {
  if (abort || !token()) return;
  abort = new AbortController();
  const { signal } = abort;
  say("connecting");
  try {
    await follow(signal);
  } catch (error) {
    if (signal.aborted) return;
  }
  if (signal.aborted) return;
  abort = null;
  closedAt ||= performance.now();
  say("waiting");
  setTimeout(() => document.hidden || open(), PAUSES[Math.min(failures++, PAUSES.length - 1)]);
}

function close() {
  abort?.abort();
  abort = null;
  closedAt ||= performance.now();
  say("closed");
}

async function follow(signal) {
  const isShort = closedAt !== 0 && performance.now() - closedAt < TOO_LONG;
  const goesOn = lastId !== null && isShort;
  const extra = goesOn ? { "Last-Event-ID": lastId } : {};
  const answer = await fetch("/v1/events", { headers: { ...headers(), ...extra }, signal, cache: "no-store" });
  if (answer.status === 401) forget("this token is not known here any more");
  if (!answer.ok) throw new Error(answer.statusText);
  const read = reader();
  const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await text.read(); !piece.done; piece = await text.read()) {
    if (state !== "live") begin(goesOn);
    for (const message of read(piece.value)) take(message);
  }
}

// Its first words say that whatever happens from now on will be heard.
function begin(goesOn) {
  const isFirst = closedAt === 0;
  failures = 0;
  closedAt = 0;
  say("live");
  if (!goesOn && (!isFirst || isAskedBefore)) for (const { missed } of listeners) missed();
  isAskedBefore = false;
}

function take(message) {
  if (message.id !== null) lastId = message.id;
  if (!message.data) return;
  queue.push(JSON.parse(message.data));
  frame ||= requestAnimationFrame(deliver);
}

function deliver() {
  const events = queue;
  queue = [];
  frame = 0;
  for (const { heard } of listeners) heard(events);
}

function say(word) {
  if (state === word) return;
  state = word;
  for (const watcher of watchers) watcher(state);
}

/** Resolves once what happens is heard: what is asked for after that has no gap. Where that takes
 *  long it resolves too, and `missed` is called as soon as the gap has ended. */
export function whenLive(patience = 2000) {
  return new Promise((resolve) => {
    let leave = null;
    const end = () => {
      clearTimeout(timer);
      resolve();
      queueMicrotask(() => leave());
    };
    const timer = setTimeout(() => {
      isAskedBefore = true;
      end();
    }, patience);
    leave = watchState((word) => word === "live" && end());
  });
}
