// Errors, empty places, times and numbers.
import { html } from "../html.mjs";
import { ago, dateAndTime } from "../model/words.mjs";

/** A request that failed. */
export function Failed({ error, children }) {
  if (!error) return null;
  return html`<div class="said failure" role="alert">
    <p><strong>${error.message}</strong></p>
    ${error.cause && html`<p>${error.cause}</p>`}
    ${error.hint && html`<p class="hint">${error.hint}</p>`}
    ${children}
  </div>`;
}

/** An error as it lies in an operation, a task or an instance's fault. */
export function Cause({ error, title, level: Heading = "h2" }) {
  if (!error) return null;
  const cause = typeof error.cause === "object" ? error.cause?.message : error.cause;
  const host = error.host && html`on host <b>${error.host}</b>`;
  const task = error.task && html`in task <b>${error.task}</b>`;
  return html`<section class="said failure">
    <${Heading}>${title ?? "Why it failed"}</${Heading}>
    <p class="message">${error.message ?? error.code ?? "failed"}</p>
    ${cause && html`<p class="cause"><span class="label">Cause</span> ${cause}</p>`}
    ${error.hint && html`<p class="hint"><span class="label">Hint</span> ${error.hint}</p>`}
    <p class="facts">${[error.code, task, host].filter(Boolean).map((part, index) => html`${index ? " · " : ""}${part}`)}</p>
    ${logOf(error) && html`<details><summary>What the hypervisor logged</summary><pre tabindex="0">${logOf(error)}</pre></details>`}
  </section>`;
}

const logOf = (error) => {
  const log = error.log_tail ?? error.log ?? error.output;
  return Array.isArray(log) ? log.join("\n") : log;
};

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const Waiting = () => html`<p class="empty" aria-busy="true">Loading…</p>`;

/** How long ago, with the moment itself for whoever asks. */
export function Ago({ at, now }) {
  if (!at) return null;
  return html`<time dateTime=${at} title=${dateAndTime(at)}>${ago((now - Date.parse(at)) / 1000)}</time>`;
}

export const When = ({ at }) => at && html`<time dateTime=${at}>${dateAndTime(at)}</time>`;

/** Facts as pairs; those that are not known are left out. */
export function Facts({ of }) {
  return html`<dl class="pairs">
    ${of.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
      .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}
