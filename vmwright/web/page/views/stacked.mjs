// The graph on a narrow screen: layer below layer, with what is handed on between them.
import { html, Fragment } from "../html.mjs";
import { Card, about, hostOf, isTakenBack } from "./graph.mjs";
import { TaskDetails } from "./inspector.mjs";

export function StackedGraph({ tasks, flow, operation, selected, select }) {
  const layers = [...Map.groupBy(tasks, (task) => task.layer)].sort(([one], [other]) => one - other);
  return html`<ol class="stack">${layers.map(([layer, fellows], index) => html`
    <${Fragment} key=${layer}>
      ${index > 0 && html`<${Between} before=${layers[index - 1][1]} after=${fellows} flow=${flow} />`}
      <li class="layer">${fellows.map((task) => html`<div class="stacked" key=${task.id}>
        <${Card} task=${task} host=${hostOf(task, operation)} isSelected=${selected === task.id} select=${select} expands />
        <span class="hidden" id=${`about-${task.id}`}>${about(task, flow)}</span>
        ${selected === task.id && html`<div class="stacked-details"><${TaskDetails} task=${task} flow=${flow} operation=${operation} /></div>`}
      </div>`)}</li>
    </${Fragment}>`)}</ol>`;
}

function Between({ before, after, flow }) {
  const names = [new Set(before.map((task) => task.id)), new Set(after.map((task) => task.id))];
  const values = flow.edges.filter((edge) => names[0].has(edge.source) && names[1].has(edge.target)).flatMap((edge) => edge.values);
  const isBack = [...before, ...after].every(isTakenBack);
  return html`<li class=${`between ${isBack ? "back" : ""}`} aria-hidden="true">
    <svg viewBox="0 0 12 22">${isBack ? html`<path d="M6 21 V2 M2 6 L6 2 L10 6" />` : html`<path d="M6 1 V20 M2 16 L6 20 L10 16" />`}</svg>
    <span>${[...new Set(values)].join(", ")}</span></li>`;
}
