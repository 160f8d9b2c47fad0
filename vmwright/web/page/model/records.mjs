// From the events of an operation to what is known of each of its tasks: what
// vmwright/views/records.py and graph.py say on the server, said again in the browser, so that
// a graph goes on with each event. tests/web/test_model.py compares the two. Pure.

const UNDO_STATES = { RUNNING: "REVERTING", SUCCESS: "REVERTED", FAILURE: "REVERTING" };
const BEGINNINGS = new Set(["RUNNING", "PENDING"]);
const ALIVE = new Set(["running", "undoing"]);

/** Milliseconds since the epoch, or null. */
export const moment = (text) => (text ? Date.parse(text) : null);

/**
 * Each task of a flow as it stands after these events: `state`, `direction`, `attempt`, the four
 * times and `error`, `progress`; `duration` and `undoDuration` in seconds, as of `now`.
 */
export function tasksAfter(nodes, events, operationState, now) {
  const known = recordsOf(events);
  const records = new Map(nodes.map((node) => [node.id, known.get(node.id) ?? pending(node.id, 1)]));
  const clock = ALIVE.has(operationState) ? now : null;
  return nodes.map((node) => ({ ...node, ...timed(begunAgain(nodes, records, node), clock) }));
}

/** Seconds from the first start to the last end, or to `now` while it is under way. */
export function elapsed(tasks, operationState, now) {
  const times = tasks
    .flatMap((task) => [task.startedAt, task.finishedAt, task.revertStartedAt, task.revertFinishedAt])
    .filter((time) => time !== null);
  if (!times.length) return null;
  return seconds(Math.min(...times), ALIVE.has(operationState) ? now : Math.max(...times));
}

/** Events without doubles, in their order. */
export function merged(events, more) {
  if (!more.length) return events;
  const bySeq = new Map(events.map((event) => [event.seq, event]));
  for (const event of more) bySeq.set(event.seq, event);
  return [...bySeq.values()].sort((one, other) => one.seq - other.seq);
}

function recordsOf(events) {
  const byTask = new Map();
  for (const event of events) {
    if (event.kind !== "task" && event.kind !== "progress") continue;
    if (!byTask.has(event.task)) byTask.set(event.task, []);
    byTask.get(event.task).push(read(event));
  }
  return new Map([...byTask].map(([task, told]) => [task, record(sinceBeginning(told))]));
}

function read(event) {
  const direction = event.direction ?? "execute";
  let state = event.kind === "task" ? event.state || null : null;
  if (direction === "revert" && state) state = UNDO_STATES[state] ?? state;
  const byTask = event.kind === "task";
  return {
    ...event,
    state,
    byTask,
    at: moment(event.at),
    undoes: byTask && direction === "revert",
    executes: byTask && direction === "execute",
  };
}

function sinceBeginning(events) {
  let kept = [];
  for (const event of events) {
    const later = kept.length > 0 && event.attempt > kept[0].attempt;
    if (event.executes && (BEGINNINGS.has(event.state) || later)) kept = [];
    kept.push(event);
  }
  return kept;
}

function record(events) {
  const told = events.filter((event) => event.byTask);
  const last = told.at(-1);
  const begun = told.findLast((event) => event.state === "RUNNING");
  const ended = told.findLast((event) => event.state === "SUCCESS" || event.state === "FAILURE");
  const undo = told.findLast((event) => event.state === "REVERTING" && !event.error);
  const undone = last?.undoes && last !== undo ? last : null;
  return {
    attempt: events[0].attempt,
    state: last?.state ?? "RUNNING",
    direction: told.some((event) => event.undoes) ? "revert" : "execute",
    startedAt: begun?.at ?? null,
    finishedAt: ended?.at ?? null,
    revertStartedAt: undo?.at ?? null,
    revertFinishedAt: undone?.at ?? null,
    error: undone?.error ?? ended?.error ?? null,
    progress: events.at(-1).byTask ? null : progressOf(events.at(-1)),
  };
}

/** How far a call is, as an event of the kind `progress` tells it. */
export function progressOf({ detail }) {
  const fraction = Math.min(1, Math.max(0, Number(detail?.fraction ?? 0)));
  const { done_bytes: done = null, total_bytes: total = null, rate = null } = detail ?? {};
  const secondsLeft = rate && done !== null && total !== null ? (total - done) / rate : null;
  return { fraction, note: String(detail?.note ?? ""), done, total, rate, secondsLeft };
}

function pending(task, attempt) {
  return {
    attempt,
    state: "PENDING",
    direction: "execute",
    startedAt: null,
    finishedAt: null,
    revertStartedAt: null,
    revertFinishedAt: null,
    error: null,
    progress: null,
  };
}

// A task whose fellows are at a later attempt has not begun in that one.
function begunAgain(nodes, records, node) {
  const fellows = node.retry ? nodes.filter((other) => other.retry === node.retry) : [node];
  const attempt = Math.max(...fellows.map((fellow) => records.get(fellow.id).attempt));
  const known = records.get(node.id);
  return known.attempt === attempt ? known : pending(node.id, attempt);
}

function timed(record, clock) {
  const running = record.state === "RUNNING" ? clock : null;
  const undoing = record.state === "REVERTING" ? clock : null;
  return {
    ...record,
    duration: seconds(record.startedAt, record.finishedAt ?? running),
    undoDuration: seconds(record.revertStartedAt, record.revertFinishedAt ?? undoing),
  };
}

function seconds(start, end) {
  return start === null || end === null ? null : Math.max(0, (end - start) / 1000);
}
