// The list of operations: filters with live counts, and rows that change as builds go on.
import { html, useEffect, useRef, useState } from "../html.mjs";
import { get, query } from "../api.mjs";
import { useLive, useLoaded, useMedia, useNow, useThrottled, useTitle } from "../hooks.mjs";
import { EMPTY, afterEvents, withHead, withPage } from "../model/operations.mjs";
import { age, duration, short, STATES } from "../model/words.mjs";
import { OperationState } from "../parts/marks.mjs";
import { Ago, Empty, Failed, Waiting } from "../parts/said.mjs";
import { useWindow } from "../parts/window.mjs";
import { Link, navigate, withQuery } from "../router.mjs";

const PAGE = 100;
// Milliseconds between two requests at least, however much happens.
const COUNTED = 2000;
const LOOKED = 1500;
const ROW = 45;
const ROW_NARROW = 69;

const GROUPS = [
  ["", "All", STATES],
  ["active", "Under way", ["queued", "running", "undoing", "interrupted"]],
  ["attention", "Need you", ["stuck", "parked"]],
  ["done", "Done", ["done"]],
  ["back", "Taken back", ["undone", "cancelled"]],
];

const statesOf = (word) => GROUPS.find(([name]) => name === word)?.[2] ?? word.split(",");

export function Operations({ address }) {
  useTitle("Operations");
  const filters = Object.fromEntries(["state", "text", "instance", "host"].map((name) => [name, address.searchParams.get(name) ?? ""]));
  return html`
    <div class="heading"><h1 tabindex="-1">Operations</h1></div>
    <${Filters} filters=${filters} />
    <${OperationList} key=${JSON.stringify(filters)} filters=${filters} />`;
}

function Filters({ filters }) {
  const counts = useCounts();
  const sum = (states) => states.reduce((total, state) => total + (counts?.states[state] ?? 0), 0);
  // Of those that have ended only so many are counted.
  const shown = (number) => (counts && number >= counts.newest ? `${counts.newest}+` : number);
  const exact = GROUPS.some(([name]) => name === filters.state) ? "" : filters.state;
  return html`<form class="filters" role="search" aria-label="Operations" onSubmit=${(event) => event.preventDefault()}>
    <div class="chips" role="group" aria-label="State">
      ${GROUPS.map(([name, word, states]) => html`
        <${Link} to=${withQuery({ state: name })} class="chip" aria-current=${filters.state === name ? "true" : undefined}>
          ${word}${counts && html` <span class=${`count ${name === "attention" && sum(states) ? "tone-failure" : ""}`}>${shown(sum(states))}</span>`}
        </${Link}>`)}
    </div>
    <div class="fields">
      <${Choice} label="State" value=${exact} change=${(state) => navigate(withQuery({ state }), { replace: true })}>
        <option value="">any state</option>
        ${STATES.map((state) => html`<option value=${state}>${state}${counts ? ` (${shown(counts.states[state] ?? 0)})` : ""}</option>`)}
      </${Choice}>
      <${Hosts} value=${filters.host} />
      <${Typed} name="instance" label="Instance" value=${filters.instance} />
      <${Typed} name="text" label="Text" value=${filters.text} type="search" />
    </div>
  </form>`;
}

function useCounts() {
  const load = () => get("/v1/operations/counts").catch(() => null);
  const loaded = useLive(load, [], (events) => events.some((event) => event.kind === "operation") && again());
  const again = useThrottled(loaded.again, COUNTED);
  return loaded.value;
}

function Hosts({ value }) {
  const { value: hosts } = useLoaded(() => get("/v1/hosts"), []);
  return html`<${Choice} label="Host" value=${value} change=${(host) => navigate(withQuery({ host }), { replace: true })}>
    <option value="">any host</option>
    ${(hosts ?? []).map((host) => html`<option value=${host.name}>${host.name}</option>`)}
  </${Choice}>`;
}

function Choice({ label, value, change, children }) {
  return html`<label class="choice"><span class="hidden">${label}</span>
    <select value=${value} onChange=${(event) => change(event.target.value)}>${children}</select></label>`;
}

function Typed({ name, label, value, type = "text" }) {
  const [text, set] = useState(value);
  const timer = useRef(0);
  const typed = (event) => {
    const wanted = event.target.value;
    set(wanted);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => navigate(withQuery({ [name]: wanted.trim() }), { replace: true }), 300);
  };
  useEffect(() => set((before) => (before.trim() === value ? before : value)), [value]);
  return html`<label class="choice"><span class="hidden">${label}</span>
    <input type=${type} placeholder=${label} value=${text} onInput=${typed} autocomplete="off" spellcheck="false" /></label>`;
}

/** Operations that fit the filters. Other views show it too, with filters of their own. */
export function OperationList({ filters, limit = PAGE, isBrief = false }) {
  const { list, error, isLoading, more, isMoving } = useList(filters, limit);
  if (isLoading) return html`<${Waiting} />`;
  if (error?.status === 404) return html`<${Empty}>No operation fits.</${Empty}>`;
  if (error && !list.rows.length) return html`<${Failed} error=${error} />`;
  if (!list.rows.length && !list.next) return html`<${Empty}>No operation fits.</${Empty}>`;
  return html`<${Failed} error=${error} />
    <${Rows} rows=${list.rows} isMoving=${isMoving} isBrief=${isBrief} next=${list.next} more=${more} />`;
}

function useList(filters, limit) {
  const [list, set] = useState(EMPTY);
  const path = `/v1/operations${query({ ...filters, state: statesOf(filters.state ?? ""), limit })}`;
  const heard = (events) => {
    set((before) => {
      const { list: after, isStale } = afterEvents(before, events);
      if (isStale) soon();
      return after;
    });
  };
  const load = async () => {
    const page = await get(path, { as: "page" });
    set((before) => withHead(before, page));
    return page;
  };
  const { error, isLoading, again } = useLive(load, [path], heard);
  const soon = useThrottled(again, LOOKED);
  const busy = useRef(false);
  const more = async () => {
    if (busy.current || !list.next) return;
    busy.current = true;
    try {
      const page = await get(list.next, { as: "page" });
      set((before) => withPage(before, page));
    } finally {
      busy.current = false;
    }
  };
  return { list, error, isLoading, more, isMoving: list.rows.some((row) => !row.ended) };
}

function Rows({ rows, isMoving, isBrief, next, more }) {
  const hasMore = Boolean(next);
  const isNarrow = useMedia("(max-width: 720px)");
  const height = isNarrow ? ROW_NARROW : ROW;
  const body = useRef();
  const [first, end] = useWindow(body, rows.length, height);
  const now = useNow(isMoving);
  useEffect(() => {
    if (hasMore && !isBrief && end >= rows.length - 20) more();
  }, [end, rows.length, next]);
  return html`<table class=${`list operations ${isBrief ? "brief" : ""}`} role="table" aria-rowcount=${hasMore ? -1 : rows.length + 1}>
    <thead role="rowgroup"><tr role="row" aria-rowindex="1">
      ${["State", isBrief ? "What" : "Instance", "What", "Host", "Now", "Took", "Begun"].map((word) => html`<th role="columnheader" scope="col">${word}</th>`)}
    </tr></thead>
    <tbody role="rowgroup" ref=${body}>
      <${Space} height=${first * height} />
      ${rows.slice(first, end).map((row, index) => html`<${Row} key=${row.id} row=${row} index=${first + index} now=${row.ended && !isRecent(row, now) ? 0 : now} isBrief=${isBrief} />`)}
      <${Space} height=${(rows.length - end) * height} />
    </tbody>
  </table>
  ${hasMore && isBrief && html`<p><button class="button small" onClick=${more}>Older ones</button></p>`}`;
}

// Rows of which nothing changes any more are not drawn again each second.
const isRecent = (row, now) => now - Date.parse(row.created_at) < 3600000;

const Space = ({ height }) => height > 0 && html`<tr class="space" aria-hidden="true" style=${{ height: `${height}px` }}></tr>`;

// A brief list is of one instance: what was done leads on, not to what.
function Row({ row, index, now, isBrief }) {
  const name = isBrief ? row.kind : row.instance_name ?? short(row.instance_id);
  return html`<tr role="row" aria-rowindex=${index + 2} class="row">
    <td role="cell" class="cell-state"><${OperationState} state=${row.state} /></td>
    <td role="cell" class="cell-name"><${Link} to=${`/operations/${row.id}`}>${name}</${Link}></td>
    <td role="cell" class="cell-kind">${row.kind}</td>
    <td role="cell" class="cell-host">${row.host ?? row.attempts?.at(-1)?.host ?? ""}</td>
    <td role="cell" class="cell-now"><${Doing} row=${row} /></td>
    <td role="cell" class="cell-took">${took(row, now)}</td>
    <td role="cell" class="cell-begun"><${Ago} at=${row.created_at} now=${now || Date.now()} /></td>
  </tr>`;
}

function Doing({ row }) {
  if (row.under_way?.length) return html`<span class="doing">${row.under_way.map(doing).join(", ")}</span>`;
  if (row.owes?.length) return html`<span class="owes">owes ${row.owes.length}</span>`;
  if (row.error) return html`<span class="why" title=${row.error.message}>${row.error.message ?? row.error.code}</span>`;
  return html`<span class="narrow">${[row.kind, row.host].filter(Boolean).join(" on ")}</span>`;
}

function doing({ task, direction, progress }) {
  const share = progress ? ` ${Math.round(progress.fraction * 100)} %` : "";
  return `${direction === "revert" ? "undoing " : ""}${task}${share}`;
}

function took(row, now) {
  if (!row.started_at) return "";
  if (row.ended) return duration((Date.parse(row.finished_at) - Date.parse(row.started_at)) / 1000);
  return age((now - Date.parse(row.started_at)) / 1000);
}
