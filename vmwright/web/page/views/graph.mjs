// The graph as the server laid it out: arrows as SVG, tasks as buttons over them.
import { html, useRef } from "../html.mjs";
import { useWidth } from "../hooks.mjs";
import { TASK_WORDS, age, bytes, duration } from "../model/words.mjs";
import { TaskMark } from "../parts/marks.mjs";

const LEAST_SCALE = 0.62;
const MARGIN = 8;

export const isTakenBack = (task) => task.state === "REVERTING" || task.state === "REVERTED";

export function Graph({ tasks, flow, operation, selected, select }) {
  const frame = useRef();
  const width = useWidth(frame);
  const { layout } = flow;
  const whole = { width: layout.width + 2 * MARGIN, height: layout.height + 2 * MARGIN };
  const scale = Math.min(1, Math.max(LEAST_SCALE, width / whole.width));
  const byName = new Map(tasks.map((task) => [task.id, task]));
  const size = { width: `${whole.width * scale}px`, height: `${whole.height * scale}px` };
  const canvas = { width: `${whole.width}px`, height: `${whole.height}px`, transform: `scale(${scale})` };
  return html`
    <div class=${`graph ${["running", "undoing"].includes(operation.state) ? "moving" : ""}`} ref=${frame} role="group" aria-labelledby="graph-title" tabindex=${width && width / whole.width < LEAST_SCALE ? 0 : undefined}>
      <div class="graph-size" style=${size}>
        <div class="graph-canvas" style=${canvas}>
          <${Arrows} layout=${layout} whole=${whole} byName=${byName} operation=${operation} flow=${flow} />
          ${layout.labels.map((label) => html`<${Value} label=${label} flow=${flow} byName=${byName} />`)}
          <ol class="cards">${tasks.map((task) => html`
            <li key=${task.id} style=${placed(layout.boxes[task.id])}>
              <${Card} task=${task} host=${hostOf(task, operation)} isSelected=${selected === task.id} select=${select} />
              <span class="hidden" id=${`about-${task.id}`}>${about(task, flow)}</span>
            </li>`)}</ol>
        </div>
      </div>
    </div>
    <${Legend} tasks=${tasks} />`;
}

const placed = (box) => ({
  left: `${box.left + MARGIN}px`, top: `${box.top + MARGIN}px`, width: `${box.width}px`, height: `${box.height}px`,
});

function Arrows({ layout, whole, byName, operation, flow }) {
  return html`<svg class="arrows" viewBox=${`${-MARGIN} ${-MARGIN} ${whole.width} ${whole.height}`} aria-hidden="true">
    ${layout.frames.map((frame) => html`
      <g class="frame"><rect x=${frame.left} y=${frame.top} width=${frame.width} height=${frame.height} rx="16" />
        <text x=${frame.left + 14} y=${frame.top + 18}>${frameWords(frame, flow)}</text></g>`)}
    ${layout.routes.map((route) => html`<${Arrow} key=${`${route.source} ${route.target} ${route.order}`} ...${{ route, byName, operation }} />`)}
  </svg>`;
}

function Arrow({ route, byName, operation }) {
  const [source, target] = [byName.get(route.source), byName.get(route.target)];
  const kind = arrowKind(source, target, operation);
  const { way, head } = kind.startsWith("back") ? route.backwards : route.forwards;
  return html`<g class=${`arrow ${route.order ? "order" : "data"} ${kind}`}>
    <path d=${way} /><polygon points=${head} /></g>`;
}

// What is taken back is drawn backwards: from the task that was undone to the one that is next.
function arrowKind(source, target, operation) {
  if (isTakenBack(target) && isTakenBack(source)) return source.state === "REVERTING" ? "back flowing" : "back";
  if (isTakenBack(target) && operation.state === "undoing") return "back-ahead";
  if (target.state === "RUNNING") return "flowing";
  return target.state === "PENDING" || target.state === "IGNORE" ? "ahead" : "passed";
}

function frameWords(frame, flow) {
  const isRetried = flow.nodes.some((node) => node.scope === frame.scope && node.retry);
  return `${frame.scope.replaceAll("_", " ")}${isRetried ? " · retried" : ""}`;
}

function Value({ label, flow, byName }) {
  const edge = flow.edges.find((one) => one.source === label.source && one.target === label.target);
  const words = edge.values.join(", ");
  const isAhead = byName.get(label.target).state === "PENDING";
  return html`<span class=${`value ${isAhead ? "ahead" : ""}`} style=${placed(label)} title=${`${label.source} → ${label.target}: ${words}`} aria-hidden="true">${words}</span>`;
}

export function Card({ task, host, isSelected, select, expands }) {
  const pressed = expands ? { "aria-expanded": String(isSelected) } : { "aria-pressed": String(isSelected) };
  return html`<button type="button" class=${`card tone-${task.state.toLowerCase()}`} data-task=${task.id} data-state=${task.state}
      ...${pressed} aria-describedby=${`about-${task.id}`} onClick=${() => select(task.id)}>
    <span class="card-line"><${TaskMark} state=${task.state} /><span class="card-name">${task.title || task.id}</span></span>
    <span class="card-status">${statusOf(task)}</span>
    <span class=${`card-more ${task.error && !task.progress ? "card-why" : ""}`}>${moreOf(task, host)}</span>
    ${task.progress && html`<${Bar} progress=${task.progress} />`}
  </button>`;
}

function statusOf(task) {
  const seconds = isTakenBack(task) ? task.undoDuration : task.duration;
  // What failed is taken back like all that came before it, and was the reason for that.
  const failed = task.error && task.state === "REVERTED" ? "failed" : "";
  // Between two tries of an undo, and where it is stuck.
  const word = task.state === "REVERTING" && task.revertFinishedAt !== null ? "undo failed" : TASK_WORDS[task.state];
  return [failed, word, duration(seconds)].filter(Boolean).join(" · ");
}

function moreOf(task, host) {
  if (task.progress) return progressWords(task.progress);
  if (task.error) return task.error.message ?? task.error.code;
  const attempt = task.attempt > 1 && task.state !== "PENDING" ? `attempt ${task.attempt}` : "";
  return [host && `on ${host}`, attempt].filter(Boolean).join(" · ");
}

/** How far, how fast, and how long the rest takes, as far as that is known. */
export function progressWords({ fraction, note, rate, secondsLeft }) {
  const left = secondsLeft === null ? "" : `${age(secondsLeft)} left`;
  return [`${Math.round(fraction * 100)} %`, rate ? `${bytes(rate)}/s` : "", left, note].filter(Boolean).join(" · ");
}

function Bar({ progress }) {
  return html`<span class="bar" aria-hidden="true"><span style=${{ width: `${progress.fraction * 100}%` }}></span></span>`;
}

/** The host that a task works on, where it works on one. */
export function hostOf(task, operation) {
  if (task.error?.host) return task.error.host;
  const isOnHost = task.requires.includes("host") || task.provides.includes("host");
  if (!isOnHost || task.state === "PENDING") return null;
  return operation.attempts.find((one) => one.number === task.attempt)?.host ?? operation.host ?? null;
}

/** The edges of a task in words. */
export function about(task, flow) {
  const before = flow.edges.filter((edge) => edge.target === task.id);
  if (!before.length) return "Begins the flow.";
  return before.map((edge) => (edge.values.length ? `Takes ${edge.values.join(", ")} from ${edge.source}.` : `After ${edge.source}.`)).join(" ");
}

function Legend({ tasks }) {
  const entries = [["order", "then"], ["data", "hands a value on"]];
  if (tasks.some(isTakenBack)) entries.push(["back", "taken back"]);
  return html`<p class="legend" aria-hidden="true">${entries.map(([kind, word]) => html`
    <span><svg viewBox="0 0 28 8" class=${`arrow ${kind}`}><path d="M1 4 H27" /></svg>${word}</span>`)}</p>`;
}
