// What each task did when, from the events of its operation: spans of waiting, running and undoing,
// of all attempts. Pure; times in milliseconds.
import { moment } from "./records.mjs";

const OPERATION_WAITS = new Set(["queued", "interrupted", "stuck", "parked"]);
const OPERATION_ENDS = new Set(["done", "undone", "cancelled"]);

/**
 * A row for the operation (`id` null) and one for each task: `spans` of
 * `{kind: "wait" | "run" | "undo", start, end, state, attempt}`; `end` is null for what goes on.
 */
export function timelineOf(nodes, edges, events) {
  const told = events.map((event) => ({ ...event, at: moment(event.at) }));
  const rows = [{ id: null, spans: spansOfOperation(told) }];
  const ends = new Map();
  const before = new Map(nodes.map((node) => [node.id, []]));
  for (const edge of edges) before.get(edge.target).push(edge.source);
  for (const node of nodes) {
    const spans = spansOfTask(told.filter((event) => concerns(event, node.id)));
    ends.set(node.id, spans.filter((span) => span.kind === "run").map((span) => span.end));
    rows.push({ id: node.id, spans: withWaits(spans, readiness(before.get(node.id), ends)) });
  }
  return rows;
}

/** The first and last moment that the rows show; what goes on reaches to `now`. */
export function extent(rows, now) {
  const spans = rows.flatMap((row) => row.spans);
  if (!spans.length) return [now, now];
  const start = Math.min(...spans.map((span) => span.start));
  return [start, Math.max(start + 1, ...spans.map((span) => span.end ?? now))];
}

/** Seconds that a row spent waiting, running and undoing. */
export function totals(row, now) {
  const sum = { wait: 0, run: 0, undo: 0 };
  for (const span of row.spans) sum[span.kind] += Math.max(0, (span.end ?? now) - span.start) / 1000;
  return sum;
}

/** Marks for an axis over so many seconds: about `wanted` round numbers. */
export function ticks(length, wanted = 3) {
  const rough = length / wanted;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const steps = rough > 45 ? [60, 120, 300, 600, 1800, 3600, 7200, 14400, 86400] : [1, 2, 5, 10].map((n) => n * power);
  const step = steps.find((one) => one >= rough) ?? Math.ceil(rough / 86400) * 86400;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

function begins(event) {
  const isBegun = event.state === "RUNNING" || (event.direction === "revert" && event.state === "REVERTING");
  return isBegun && !event.error;
}

function concerns(event, task) {
  return event.task === task ? event.kind === "task" : event.kind === "owner";
}

function spansOfOperation(events) {
  const spans = [];
  const begin = (kind, at, state) => {
    const open = spans.at(-1);
    if (open && open.end === null) {
      if (open.state === state) return;
      open.end = at;
    }
    spans.push({ kind, start: at, end: null, state, attempt: 1 });
  };
  for (const event of events) {
    if (event.kind === "task") {
      // What ends says nothing: others may be taken back already.
      if (!begins(event)) continue;
      const undoes = event.direction === "revert";
      begin(undoes ? "undo" : "run", event.at, undoes ? "undoing" : "running");
    } else if (event.kind === "operation") {
      if (OPERATION_WAITS.has(event.state)) begin("wait", event.at, event.state);
      else if (event.state === "undoing") begin("undo", event.at, "undoing");
      else if (OPERATION_ENDS.has(event.state) && spans.at(-1)?.end === null) spans.at(-1).end = event.at;
    }
  }
  return spans;
}

function spansOfTask(events) {
  const spans = [];
  const close = (at, state) => {
    const open = spans.at(-1);
    if (open && open.end === null) Object.assign(open, { end: at, state });
  };
  for (const event of events) {
    const undoes = event.direction === "revert";
    if (event.kind === "owner") close(event.at, "LOST");
    else if (begins(event)) {
      close(event.at, "LOST");
      spans.push({
        kind: undoes ? "undo" : "run",
        start: event.at,
        end: null,
        state: undoes ? "REVERTING" : "RUNNING",
        attempt: event.attempt,
      });
    } else close(event.at, undoes && event.error ? "FAILURE" : event.state);
  }
  return spans;
}

// When a task could have begun that began at `start`: once the last of those before it had ended.
function readiness(before, ends) {
  return (start) => {
    const ended = before.map((task) => ends.get(task).findLast((end) => end !== null && end <= start));
    return ended.length && ended.every((end) => end !== undefined) ? Math.max(...ended) : null;
  };
}

function withWaits(spans, ready) {
  const rows = [];
  for (const [index, span] of spans.entries()) {
    const previous = spans[index - 1];
    const since = span.kind === "run" ? ready(span.start) : retried(previous, span);
    const start = since === null ? null : Math.max(since, previous?.end ?? since);
    if (start !== null && span.start > start) {
      rows.push({ kind: "wait", start, end: span.start, state: "PENDING", attempt: span.attempt });
    }
    rows.push(span);
  }
  return rows;
}

// The pause before an undo that failed is tried again.
const retried = (previous, span) =>
  previous?.kind === "undo" && span.kind === "undo" ? previous.end : null;
