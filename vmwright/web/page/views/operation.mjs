// One operation: its graph and its times as they go on, what failed, and the verbs to steer it.
import { html, useEffect, useMemo, useRef, useState } from "../html.mjs";
import { get, learnTime } from "../api.mjs";
import { useLive, useMedia, useNow, useThrottled, useTitle } from "../hooks.mjs";
import { elapsed, merged, tasksAfter } from "../model/records.mjs";
import { ENDED, STANDING_STILL, age, count, duration, short } from "../model/words.mjs";
import { announce } from "../parts/announce.mjs";
import { OperationState } from "../parts/marks.mjs";
import { Ago, Cause, Failed, Waiting } from "../parts/said.mjs";
import { Link } from "../router.mjs";
import { Console } from "./console.mjs";
import { Graph } from "./graph.mjs";
import { InstanceFacts } from "./instance.mjs";
import { Inspector } from "./inspector.mjs";
import { StackedGraph } from "./stacked.mjs";
import { Timeline } from "./timeline.mjs";
import { Verbs } from "./verbs.mjs";

export function OperationView({ id }) {
  const { operation, flow, events, instance, error, again } = useOperation(id);
  useTitle(operation && `${operation.kind} ${operation.instance_name ?? short(operation.instance_id)} · ${operation.state}`);
  if (!operation || !flow) return error ? html`<h1 tabindex="-1">Operation ${short(id)}</h1><${Failed} error=${error} />` : html`<${Waiting} />`;
  return html`<${Known} ...${{ operation, flow, events, instance, error, again }} />`;
}

/** The operation, its flow and all events so far; and its instance. */
function useOperation(id) {
  const [events, setEvents] = useState([]);
  const early = useRef([]);
  const load = async () => {
    const [operation, flow] = await Promise.all([
      get(`/v1/operations/${id}`),
      get(`/v1/operations/${id}/graph?format=page`),
    ]);
    learnTime(flow.now);
    setEvents(merged(flow.events, early.current.filter((event) => event.seq > flow.position)));
    return { operation, flow, instance: await instanceOf(operation) };
  };
  const heard = (all) => {
    const mine = all.filter((event) => event.operation_id === id);
    if (!mine.length) return;
    early.current = [...early.current, ...mine].slice(-1000);
    setEvents((before) => merged(before, mine));
    if (mine.some((event) => event.kind !== "progress")) soon();
  };
  const { value, error, again, change } = useLive(load, [id], heard);
  const soon = useThrottled(async () => {
    // The graph goes on by itself; what events do not say is asked for.
    const operation = await get(`/v1/operations/${id}`).catch(() => null);
    if (operation) change({ operation, instance: await instanceOf(operation) });
  }, 1000);
  const operation = useMemo(() => value && standing(value.operation, events), [value, events]);
  useAnnounced(operation, events);
  return { operation, flow: value?.flow, instance: value?.instance, events, error, again };
}

async function instanceOf(operation) {
  const paths = [`/v1/operations/${operation.id}/instance`, `/v1/instances/${operation.instance_id}`];
  for (const path of paths) {
    const found = await get(path).catch(() => null);
    if (found) return found;
  }
  return null;
}

// Its state as events tell it, who are ahead of the answers. None tells that it was taken up: its
// first task does.
function standing(operation, events) {
  const told = operation.ended ? null : events.findLast((event) => event.kind === "operation");
  if (!told) return operation;
  const task = events.findLast((event) => event.kind === "task" && event.seq > told.seq);
  const isTakenUp = task && ["queued", "interrupted"].includes(told.state);
  const state = isTakenUp ? (task.direction === "revert" ? "undoing" : "running") : told.state;
  return { ...operation, state, ended: ENDED.has(state) };
}

function useAnnounced(operation, events) {
  const last = useRef({ state: null, seq: 0 });
  useEffect(() => {
    if (!operation) return;
    const { state, seq } = last.current;
    if (state && state !== operation.state) announce(`The operation is ${operation.state}`);
    for (const event of events) {
      if (seq && event.seq > seq && event.kind === "task" && event.state === "FAILURE" && event.direction !== "revert") announce(`${event.task} failed`);
    }
    last.current = { state: operation.state, seq: events.at(-1)?.seq ?? 0 };
  }, [operation?.state, events]);
}

function Known({ operation, flow, events, instance, error, again }) {
  const isMoving = ["running", "undoing"].includes(operation.state);
  // What waits for a person must not squeeze what has been into nothing.
  const isStill = STANDING_STILL.has(operation.state) && events.length > 0;
  const isCalm = useMedia("(prefers-reduced-motion: reduce)");
  const ticked = useNow(!operation.ended, isMoving && !isCalm ? 200 : 1000);
  // What has just happened is not yet to come, however seldom the clock ticks.
  const now = Math.max(ticked, events.length ? Date.parse(events.at(-1).at) : 0);
  const isNarrow = useMedia("(max-width: 620px)");
  const [selected, select] = useState(null);
  const tasks = useMemo(() => tasksAfter(flow.nodes, events, operation.state, now), [flow, events, operation.state, now]);
  const chosen = tasks.find((task) => task.id === selected);
  const toggle = (name) => select((before) => (before === name ? null : name));
  const shared = { tasks, flow, operation, selected, select: toggle };
  return html`
    <${Heading} ...${{ operation, tasks, instance, now, again }} />
    <${Failed} error=${error} />
    <${Trouble} operation=${operation} now=${now} />
    <div class="columns">
      <section class="panel graph-panel" aria-labelledby="graph-title">
        <h2 id="graph-title">Graph</h2>
        ${isNarrow ? html`<${StackedGraph} ...${shared} />` : html`<${Graph} ...${shared} />`}
      </section>
      <div class="column">
        <${Timeline} flow=${flow} events=${events} now=${isStill ? Date.parse(events.at(-1).at) : now} />
        ${!isNarrow && html`<${Inspector} task=${chosen} flow=${flow} operation=${operation} select=${toggle} />`}
        <${Attempts} operation=${operation} />
        ${instance && html`<section class="panel" aria-labelledby="instance-title">
          <h2 id="instance-title">Instance</h2><${InstanceFacts} instance=${instance} /></section>`}
        ${instance && html`<${Console} instance=${instance} />`}
      </div>
    </div>`;
}

function Heading({ operation, tasks, instance, now, again }) {
  const length = elapsed(tasks, operation.state, now);
  const name = operation.instance_name ?? instance?.name ?? short(operation.instance_id);
  return html`<div class="heading operation-heading">
    <div>
      <p class="crumbs"><${Link} to="/">Operations</${Link}> <span aria-hidden="true">/</span> <code title=${operation.id}>${short(operation.id)}</code></p>
      <h1 tabindex="-1">${operation.kind} ${name}</h1>
      <p class="facts">
        <${OperationState} state=${operation.state} />
        ${length !== null && html`<span>${operation.ended ? duration(length) : age(length)}</span>`}
        <span><${Ago} at=${operation.created_at} now=${now} /></span>
        ${operation.host && html`<span>host <b>${operation.host}</b></span>`}
        ${operation.attempt > 1 && html`<span>attempt ${operation.attempt}</span>`}
        ${instance && !instance.deleted_at && html`<${Link} to=${`/instances/${operation.instance_id}`}>instance</${Link}>`}
      </p>
    </div>
    <${Verbs} operation=${operation} tasks=${tasks} instance=${instance} again=${again} />
  </div>`;
}

/** What somebody should know before anything else: failures, debts, and what stands still. */
function Trouble({ operation, now }) {
  const { error, owes, held, cancel_reason: reason, not_before: next } = operation;
  const blocked = error?.blocked ?? error?.parked;
  const waits = next && Date.parse(next) > now && !operation.ended;
  return html`
    ${reason && html`<p class="said note">Cancelled: ${reason}</p>`}
    ${blocked && html`<${Cause} error=${blocked} title=${`Why it is ${operation.state}`} />`}
    ${error?.message && html`<${Cause} error=${error} title=${blocked || reason ? "Why it is taken back" : "Why it failed"} />`}
    ${waits && html`<p class="said note">Tried ${count(operation.undo_tries, "time")}; the next try is in ${age((Date.parse(next) - now) / 1000)}.</p>`}
    <${Held} held=${(held ?? []).filter((one) => one.things.length)} />
    ${owes?.length > 0 && html`<section class="said note"><h2>Owed</h2>
      <p>Removed by a reconciler as soon as it can be.</p><ul>
      ${owes.map((debt) => html`<li><b>${debt.kind}</b> <code>${debt.key}</code> on <b>${debt.host}</b>: ${debt.reason}${debt.error && html` <span class="muted">(${debt.error.message})</span>`}</li>`)}</ul></section>`}`;
}

function Held({ held }) {
  if (!held.length) return null;
  return html`<section class="said note"><h2>Still there</h2><dl class="pairs">
    ${held.map((one) => html`<div><dt>${one.task}</dt><dd>${one.host && html`on <b>${one.host}</b>`}
      <ul>${one.things.map((thing) => html`<li><code>${thing}</code></li>`)}</ul></dd></div>`)}</dl></section>`;
}

function Attempts({ operation }) {
  if (operation.attempts.length < 2) return null;
  return html`<section class="panel" aria-labelledby="attempts-title"><h2 id="attempts-title">Attempts</h2>
    <table class="plain"><thead><tr><th scope="col">Try</th><th scope="col">Host</th><th scope="col">Outcome</th><th scope="col">Why</th></tr></thead>
    <tbody>${operation.attempts.map((one) => html`<tr><td>${one.number}</td><td class="whole">${one.host ?? "none"}</td>
      <td class="whole">${one.outcome ?? "under way"}</td><td>${one.fault?.message ?? ""}</td></tr>`)}</tbody></table></section>`;
}
