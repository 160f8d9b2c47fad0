// States as a mark and a word: never by colour alone.
import { html } from "../html.mjs";
import { TASK_MARKS } from "../drawn.mjs";
import { TASK_WORDS, TONES, VM_TONES } from "../model/words.mjs";

const OPERATION_MARKS = {
  queued: "M8 2 a6 6 0 1 0 .01 0 M8 5 V8.500 L10.500 10",
  running: TASK_MARKS.RUNNING,
  undoing: TASK_MARKS.REVERTING,
  interrupted: "M5.500 3.500 V12.500 M10.500 3.500 V12.500",
  stuck: "M8 2 L14.500 13.500 H1.500 Z M8 6.500 V9.500 M8 11.500 V11.600",
  parked: "M4 3 H12 V13 H4 Z",
  done: TASK_MARKS.SUCCESS,
  undone: TASK_MARKS.REVERTED,
  cancelled: "M8 2 a6 6 0 1 0 .01 0 M4 12 L12 4",
};

const Path = ({ d, tone }) => html`
  <svg class=${`mark tone-${tone}`} viewBox="0 0 16 16" aria-hidden="true"><path d=${d} /></svg>`;

export function OperationState({ state }) {
  const tone = TONES[state] ?? "ignore";
  return html`<span class=${`pill tone-${tone}`}><${Path} d=${OPERATION_MARKS[state]} tone=${tone} />${state}</span>`;
}

export function OperationMark({ state }) {
  return html`<${Path} d=${OPERATION_MARKS[state]} tone=${TONES[state] ?? "ignore"} />`;
}

export function TaskMark({ state }) {
  return html`<${Path} d=${TASK_MARKS[state]} tone=${state.toLowerCase()} />`;
}

export function TaskState({ state }) {
  return html`<span class=${`state tone-${state.toLowerCase()}`}><${TaskMark} state=${state} />${TASK_WORDS[state]}</span>`;
}

export function VmState({ state, task }) {
  const words = task ? `${state} · ${task.replaceAll("_", " ")}` : state;
  return html`<span class=${`pill tone-${VM_TONES[state] ?? "ignore"}`}>
    <span class="dot" aria-hidden="true"></span>${words}</span>`;
}
