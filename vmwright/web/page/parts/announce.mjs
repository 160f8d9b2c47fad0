// What a screen reader is told of what changes by itself: seldom, and only what matters.
import { html, useEffect, useState } from "../html.mjs";

const PAUSE = 2000;
let listener = null;
let waiting = [];
let timer = 0;

/** Say it, together with whatever else happens within two seconds. */
export function announce(text) {
  if (waiting.at(-1) !== text) waiting.push(text);
  timer ||= setTimeout(() => {
    listener?.(waiting.slice(-3).join(". "));
    waiting = [];
    timer = 0;
  }, PAUSE);
}

export function Announcements() {
  const [text, set] = useState("");
  useEffect(() => {
    listener = set;
    return () => (listener = null);
  }, []);
  return html`<div class="hidden" role="status">${text}</div>`;
}
