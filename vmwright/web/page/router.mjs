// Addresses of the page: links that can be shared, and the browser's way back.
import { html, useEffect, useState } from "./html.mjs";

const listeners = new Set();

export function navigate(address, { replace = false } = {}) {
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  for (const listener of listeners) listener();
}

export function useAddress() {
  const [address, set] = useState(location.pathname + location.search);
  useEffect(() => {
    const changed = () => set(location.pathname + location.search);
    listeners.add(changed);
    addEventListener("popstate", changed);
    return () => {
      listeners.delete(changed);
      removeEventListener("popstate", changed);
    };
  }, []);
  return new URL(address, location.origin);
}

/** The address with other values in its query. */
export function withQuery(changes) {
  const search = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) search.set(name, value);
    else search.delete(name);
  }
  return location.pathname + (search.size ? `?${search}` : "");
}

/** A link that the page follows by itself, unless it is to be opened elsewhere. */
export function Link({ to, children, ...others }) {
  const follow = (event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return html`<a href=${to} onClick=${follow} ...${others}>${children}</a>`;
}
