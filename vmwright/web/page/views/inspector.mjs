// All that is known of one task.
import { html } from "../html.mjs";
import { clock, duration } from "../model/words.mjs";
import { TaskState } from "../parts/marks.mjs";
import { Cause, Facts } from "../parts/said.mjs";
import { hostOf, progressWords } from "./graph.mjs";

export function Inspector({ task, flow, operation, select }) {
  return html`<section class="panel inspector" aria-labelledby="task-title">
    <h2 id="task-title">${task ? html`Task <code>${task.id}</code>` : "Task"}</h2>
    ${task
      ? html`<button type="button" class="button quiet small panel-end" onClick=${() => select(task.id)}>Close</button>
          <${TaskDetails} task=${task} flow=${flow} operation=${operation} />`
      : html`<p class="muted">Choose a task in the graph to see what it takes, what it gives, and how it went.</p>`}
  </section>`;
}

export function TaskDetails({ task, flow, operation }) {
  const takes = flow.edges.filter((edge) => edge.target === task.id && edge.values.length);
  const gives = flow.edges.filter((edge) => edge.source === task.id && edge.values.length);
  return html`
    <p class="doc">${task.doc}</p>
    <${Facts} of=${[
      ["State", html`<${TaskState} state=${task.state} />`],
      ["Progress", task.progress && progressWords(task.progress)],
      ["Attempt", task.attempt],
      ["Host", hostOf(task, operation)],
      ["Begun", task.startedAt && clock(task.startedAt)],
      ["Ran", duration(task.duration)],
      ["Undo begun", task.revertStartedAt && clock(task.revertStartedAt)],
      ["Undo took", duration(task.undoDuration)],
      ["Takes", takes.length > 0 && html`<${Handed} edges=${takes} end="source" word="from" />`],
      ["Gives", gives.length > 0 && html`<${Handed} edges=${gives} end="target" word="to" />`],
      ["Belongs to", task.scope.replaceAll("_", " ")],
    ]} />
    <${Cause} error=${task.error} title=${task.state === "REVERTING" ? "Why its undo failed" : "Why it failed"} level="h3" />`;
}

function Handed({ edges, end, word }) {
  return html`<ul class="handed">${edges.map((edge) => html`<li><code>${edge.values.join(", ")}</code> ${word} ${edge[end]}</li>`)}</ul>`;
}
