// Tasks over time: waiting, running and undoing apart. It is a table, with its bars beside the sums.
import { html, useMemo } from "../html.mjs";
import { extent, ticks, timelineOf, totals } from "../model/timeline.mjs";
import { duration } from "../model/words.mjs";

const WORDS = { wait: "waited", run: "ran", undo: "undone" };

export function Timeline({ flow, events, now }) {
  const rows = useMemo(() => timelineOf(flow.nodes, flow.edges, events), [flow, events]);
  const [start, end] = extent(rows, now);
  const length = (end - start) / 1000;
  return html`<section class="panel timeline" aria-labelledby="timeline-title">
    <h2 id="timeline-title">Timeline</h2>
    <p class="legend panel-end" aria-hidden="true">${Object.entries({ wait: "waiting", run: "running", undo: "undoing" }).map(([kind, word]) => html`<span><i class=${`span ${kind}`}></i>${word}</span>`)}</p>
    <table>
      <thead><tr><th scope="col">Task</th><td class="axis" aria-hidden="true">
        ${ticks(length).filter((tick) => tick < length * 0.9).map((tick) => html`<span style=${{ left: `${(tick / length) * 100}%` }}>${axisWords(tick)}</span>`)}</td>
        <th scope="col" class="number">Waited</th><th scope="col" class="number">Ran</th><th scope="col" class="number">Undo</th></tr></thead>
      <tbody>${rows.map((row) => html`<${Row} key=${row.id ?? ""} ...${{ row, now, start, length }} />`)}</tbody>
    </table>
  </section>`;
}

const axisWords = (tick) => (tick === 0 ? "0" : duration(tick).replace(/\.0 s$/, " s").replace(/ 00 s$/, ""));

function Row({ row, now, start, length }) {
  const sums = totals(row, now);
  return html`<tr class=${row.id ? "" : "whole"}>
    <th scope="row" title=${row.id}>${row.id ?? "operation"}</th>
    <td class="track" aria-hidden="true">${row.spans.map((span) => html`<${Bar} ...${{ span, now, start, length }} />`)}</td>
    ${["wait", "run", "undo"].map((kind) => html`<td class="number">${sums[kind] >= 0.0005 ? duration(sums[kind]) : ""}</td>`)}
  </tr>`;
}

function Bar({ span, now, start, length }) {
  const end = span.end ?? now;
  const place = {
    left: `min(${((span.start - start) / 1000 / length) * 100}%, calc(100% - 3px))`,
    width: `${Math.max(0, ((end - span.start) / 1000 / length) * 100)}%`,
  };
  const bad = span.state === "FAILURE" || span.state === "LOST" || span.state === "stuck";
  const words = `${WORDS[span.kind]} ${duration((end - span.start) / 1000)}${span.attempt > 1 ? `, attempt ${span.attempt}` : ""}${span.state === "LOST" ? ", cut off" : ""}`;
  return html`<i class=${`span ${span.kind} ${bad ? "bad" : ""} ${span.end === null ? "open" : ""}`} style=${place} title=${words}></i>`;
}
