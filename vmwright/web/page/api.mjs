// Requests to the service that this page came from, and its errors.
import { token, forget } from "./session.mjs";

/** What the service says went wrong, in the words of its problem documents. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? "the service does not answer");
    this.status = status;
    Object.assign(this, { code: null, cause: null, hint: null, host: null }, document);
  }
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body, options) => request("POST", path, { body, ...options });
export const remove = (path) => request("DELETE", path);

/** How far the service's clock is ahead of this machine's, in milliseconds. */
export let ahead = 0;

export const serverNow = () => Date.now() + ahead;

/** Learn from a moment that the service has just told. */
export function learnTime(text) {
  const difference = Date.parse(text) - Date.now();
  // Less than that may be the network's delay.
  ahead = Math.abs(difference) > 1000 ? difference : 0;
}

export const headers = () => ({ Authorization: `Bearer ${token()}` });

async function request(method, path, { body, signal, as = "json", extra = {} } = {}) {
  const options = { method, headers: { ...headers(), ...extra }, signal, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the service does not answer", hint: "it may be starting again: this page asks again by itself" });
  }
  if (answer.ok) return READINGS[as](answer);
  const problem = new Problem(answer.status, await documentOf(answer));
  if (answer.status === 401) forget(problem.message);
  throw problem;
}

const READINGS = {
  json: (answer) => answer.json(),
  text: (answer) => answer.text(),
  nothing: () => null,
  page: async (answer) => ({ items: await answer.json(), next: nextOf(answer.headers.get("Link")) }),
};

const nextOf = (link) => /<([^>]+)>; rel="next"/.exec(link ?? "")?.[1] ?? null;

async function documentOf(answer) {
  try {
    return await answer.json();
  } catch {
    return { title: answer.statusText };
  }
}

/** `?a=1&b=2&b=3`, without what is empty. */
export function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined) search.append(name, one);
    }
  }
  return search.size ? `?${search}` : "";
}
