// Hosts: what they have, what is claimed of it, whether they answer, and what they build.
import { html } from "../html.mjs";
import { get, query } from "../api.mjs";
import { useLive, useThrottled, useTitle } from "../hooks.mjs";
import { count, dateAndTime } from "../model/words.mjs";
import { OperationMark } from "../parts/marks.mjs";
import { Empty, Failed, Waiting } from "../parts/said.mjs";
import { Link } from "../router.mjs";

const UNFINISHED = ["queued", "running", "undoing", "interrupted", "stuck", "parked"];

export function Hosts() {
  useTitle("Hosts");
  const load = async () => {
    const [hosts, operations] = await Promise.all([
      get("/v1/hosts"),
      get(`/v1/operations${query({ state: UNFINISHED, limit: 500 })}`),
    ]);
    return { hosts, operations };
  };
  const loaded = useLive(load, [], (events) => events.some((event) => event.kind === "operation" || event.kind === "instance") && soon());
  const soon = useThrottled(loaded.again, 2000);
  const { value, error, isLoading } = loaded;
  return html`<div class="heading"><h1 tabindex="-1">Hosts</h1></div>
    <${Failed} error=${error} />
    ${isLoading && html`<${Waiting} />`}
    ${value && (value.hosts.length
      ? html`<ul class="hosts">${value.hosts.map((host) => html`<${Host} key=${host.id} host=${host} builds=${value.operations.filter((one) => hostOf(one) === host.name)} />`)}</ul>`
      : html`<${Empty}>No host is registered yet: the first build registers the one that the configuration names.</${Empty}>`)}`;
}

const hostOf = (operation) => operation.host ?? operation.attempts?.at(-1)?.host;

function Host({ host, builds }) {
  return html`<li class="panel host">
    <div class="host-title"><h2>${host.name}</h2><${Standing} host=${host} /></div>
    <p class="muted small">${[host.hypervisor_type, host.architecture, `zone ${host.zone}`, host.address, host.instances !== undefined && count(host.instances, "instance")].filter(Boolean).join(" · ")}</p>
    <p class="muted small"><code>${host.connection_uri}</code></p>
    <${Meter} label="vCPUs" used=${host.claimed_vcpus} total=${host.vcpus * host.vcpu_ratio} />
    <${Meter} label="Memory" unit="GiB" used=${host.claimed_memory_mib / 1024} total=${(host.memory_mib * host.memory_ratio) / 1024} />
    <${Meter} label="Disk" unit="GiB" used=${host.claimed_disk_gib} total=${host.disk_gib * host.disk_ratio} />
    ${host.silent_reason && html`<p class="said failure">Silent since ${dateAndTime(host.silent_since)}: ${host.silent_reason}</p>`}
    ${host.disabled_reason && html`<p class="muted small">Disabled: ${host.disabled_reason}</p>`}
    <h3>Under way</h3>
    ${builds.length ? html`<ul class="builds">${builds.slice(0, 12).map((one) => html`<li key=${one.id}><${OperationMark} state=${one.state} />
      <${Link} to=${`/operations/${one.id}`}>${one.instance_name ?? one.instance_id.slice(0, 8)}</${Link}> <span class="muted">${one.kind} · ${one.state}</span></li>`)}</ul>` : html`<p class="muted small">Nothing.</p>`}
    <p class="small"><${Link} to=${`/?host=${encodeURIComponent(host.name)}`}>${builds.length > 12 ? `All ${builds.length} and what has ended` : "All operations here"}</${Link}></p>
  </li>`;
}

function Standing({ host }) {
  const [tone, word] = host.circuit && host.circuit !== "closed" ? ["failure", "silent"]
    : host.draining ? ["reverting", "draining"]
    : host.enabled ? ["success", "enabled"] : ["ignore", "disabled"];
  return html`<span class=${`pill tone-${tone}`}><span class="dot" aria-hidden="true"></span>${word}</span>`;
}

function Meter({ label, used, total, unit = "" }) {
  if (!Number.isFinite(used)) return html`<p class="meter"><span>${label}</span><span class="muted">${round(total)} ${unit}</span></p>`;
  const share = total > 0 ? used / total : 0;
  const words = `${round(used)} of ${round(total)}${unit && ` ${unit}`}`;
  return html`<div class="meter"><span>${label}</span><span>${words} <span class="muted">${Math.round(share * 100)} %</span></span>
    <span class=${`meter-track ${share > 0.9 ? "full" : ""}`} role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax=${round(total)} aria-valuenow=${round(used)} aria-valuetext=${words}>
      <span style=${{ width: `${Math.min(100, share * 100)}%` }}></span></span></div>`;
}

const round = (number) => (number >= 100 || Number.isInteger(number) ? Math.round(number) : Number(number.toFixed(1)));
