// A list of operations, newest first, as pages and events arrive. Pure: each change gives a new list.
import { progressOf } from "./records.mjs";
import { ENDED } from "./words.mjs";

export const EMPTY = { rows: [], next: null };

/** Further back: what `next` led to, oldest first as the service tells it. */
export function withPage(list, page) {
  const known = new Set(list.rows.map((row) => row.id));
  const more = page.items.toReversed().filter((row) => !known.has(row.id));
  return { rows: [...list.rows, ...more], next: page.next };
}

/** The newest again: what is newer than its last one, and not on it, is wanted no more. */
export function withHead(list, page) {
  const head = page.items.toReversed();
  if (!page.next) return { rows: head, next: null };
  // The service looked through so many that it went no further back.
  if (!head.length) return { rows: list.rows, next: list.next ?? page.next };
  const fresh = new Set(head.map((row) => row.id));
  const last = head.at(-1);
  const place = list.rows.findIndex((row) => row.id === last.id);
  const older = place >= 0
    ? list.rows.slice(place + 1)
    : list.rows.filter((row) => row.created_at < last.created_at);
  const rows = [...head, ...older.filter((row) => !fresh.has(row.id))];
  return { rows, next: older.length ? list.next : page.next };
}

/** The list after these events, and whether it should be asked for again. */
export function afterEvents(list, events) {
  const changes = new Map();
  const places = new Map(list.rows.map((row, index) => [row.id, index]));
  let isStale = false;
  for (const event of events) {
    const id = event.operation_id;
    if (!places.has(id)) {
      isStale ||= event.kind === "operation";
      continue;
    }
    const row = changes.get(id) ?? list.rows[places.get(id)];
    const changed = afterEvent(row, event);
    if (changed !== row) changes.set(id, changed);
    isStale ||= isWorthAsking(row, event);
  }
  if (!changes.size) return { list, isStale };
  return { list: { ...list, rows: list.rows.map((row) => changes.get(row.id) ?? row) }, isStale };
}

function afterEvent(row, event) {
  if (event.kind === "operation") {
    const ended = ENDED.has(event.state);
    return {
      ...row,
      state: event.state,
      ended,
      under_way: ended ? [] : row.under_way,
      error: event.error ?? row.error,
      finished_at: ended ? event.at : row.finished_at,
    };
  }
  if (row.ended) return row;
  if (event.kind === "progress") return { ...row, under_way: withProgress(row.under_way, event) };
  if (event.kind !== "task") return row;
  const undoes = event.direction === "revert";
  return {
    ...row,
    state: stateWhile(row.state, undoes),
    attempt: event.attempt,
    started_at: row.started_at ?? event.at,
    under_way: underWay(row.under_way, event, undoes),
  };
}

// As under_way in vmwright/descriptions.py. An undo that failed is tried again: it stays.
function underWay(tasks, event, undoes) {
  const others = tasks.filter((one) => one.task !== event.task);
  const isBegun = event.state === "RUNNING" || event.state === "REVERTING";
  if (!isBegun && !(undoes && event.state === "FAILURE")) return others;
  return [...others, { task: event.task, direction: event.direction, since: event.at, progress: null }];
}

function withProgress(tasks, event) {
  return tasks.map((one) => (one.task === event.task ? { ...one, progress: progressOf(event) } : one));
}

function stateWhile(state, undoes) {
  if (state !== "queued" && state !== "interrupted") return state;
  return undoes ? "undoing" : "running";
}

// An event does not say on which host it happened.
function isWorthAsking(row, event) {
  if (event.kind === "operation") return true;
  return !row.host && event.kind === "task" && event.state === "SUCCESS" && /host/.test(event.task);
}
