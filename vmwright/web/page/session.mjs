// The token: asked for once, kept for this tab, and never in an address.

const NAME = "vmwright.token";
const listeners = new Set();
let why = "";

export const token = () => sessionStorage.getItem(NAME);
export const reason = () => why;

/** Take the token out of an address such as `/#token=...`, before anything else can read it. */
export function takeFromAddress() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", location.pathname + location.search);
  keep(decodeURIComponent(found[1]));
}

export function keep(text) {
  why = "";
  sessionStorage.setItem(NAME, text.trim());
  tell();
}

export function forget(because = "") {
  why = because;
  sessionStorage.removeItem(NAME);
  tell();
}

export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of listeners) listener();
}
