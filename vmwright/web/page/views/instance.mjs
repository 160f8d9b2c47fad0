// An instance: what it is, where it is, and everything that was done to it.
import { html } from "../html.mjs";
import { get } from "../api.mjs";
import { useLive, useThrottled, useTitle } from "../hooks.mjs";
import { short } from "../model/words.mjs";
import { VmState } from "../parts/marks.mjs";
import { Cause, Facts, Failed, Waiting, When } from "../parts/said.mjs";
import { Link } from "../router.mjs";
import { Console } from "./console.mjs";
import { OperationList } from "./operations.mjs";
import { Delete } from "./verbs.mjs";

export function InstanceView({ id }) {
  const heard = (events) => events.some((event) => event.instance_id === loaded.value?.id && event.kind !== "progress") && soon();
  const loaded = useLive(() => get(`/v1/instances/${encodeURIComponent(id)}`), [id], heard);
  const soon = useThrottled(loaded.again, 1000);
  const { value: instance, error } = loaded;
  useTitle(instance ? instance.name : "Instance");
  if (!instance) {
    return error ? html`<h1 tabindex="-1">Instance ${id}</h1><${Failed} error=${error} />
      <${OperationList} filters=${{ instance: id }} isBrief />` : html`<${Waiting} />`;
  }
  return html`
    <div class="heading operation-heading">
      <div>
        <p class="crumbs"><${Link} to="/instances">Instances</${Link}> <span aria-hidden="true">/</span> <code title=${instance.id}>${short(instance.id)}</code></p>
        <h1 tabindex="-1">${instance.name}</h1>
        <p class="facts"><${VmState} state=${instance.vm_state} task=${instance.task_state} />
          ${instance.power_state && html`<span>power ${instance.power_state}</span>`}
          ${instance.host && html`<span>host <b>${instance.host}</b></span>`}</p>
      </div>
      <div class="verbs">${!instance.deleted_at && html`<${Delete} instance=${instance} />`}</div>
    </div>
    <${Cause} error=${instance.fault} title="Its fault" />
    <div class="columns even">
      <section class="panel" aria-labelledby="facts-title"><h2 id="facts-title">Facts</h2><${InstanceFacts} instance=${instance} isWhole /></section>
      <div class="column">
        <section class="panel" aria-labelledby="did-title"><h2 id="did-title">Operations</h2>
          <${OperationList} filters=${{ instance: instance.id }} isBrief /></section>
        <${Console} instance=${instance} />
      </div>
    </div>`;
}

export function InstanceFacts({ instance, isWhole = false }) {
  const { flavor } = instance;
  const size = flavor?.vcpus && `${flavor.vcpus} vCPU · ${flavor.ram} MiB · ${flavor.disk} GiB`;
  const metadata = Object.entries(instance.metadata ?? {});
  const few = [
    ["State", html`<${VmState} state=${instance.vm_state} task=${instance.task_state} />`],
    ["Power", instance.power_state],
    ["Host", instance.host],
    ["Addresses", instance.addresses.length > 0 && html`<ul>${instance.addresses.map((one) => html`
      <li><code>${one.ip}</code> on ${one.network} <span class="muted"><code>${one.mac}</code></span></li>`)}</ul>`],
    ["Volumes", instance.volumes.length > 0 && html`<ul>${instance.volumes.map((one) => html`
      <li>${one.name} · ${one.size} GiB${one.delete_on_termination && html` <span class="muted">goes with it</span>`}</li>`)}</ul>`],
    ["Image", instance.image],
    ["Size", size],
    ["Launched", instance.launched_at && html`<${When} at=${instance.launched_at} />`],
    ["Deleted", instance.deleted_at && html`<${When} at=${instance.deleted_at} />`],
  ];
  const rest = [
    ["Id", html`<code>${instance.id}</code>`],
    ["Host name", instance.hostname],
    ["Zone", instance.availability_zone],
    ["Description", instance.description],
    ["Key pair", instance.key_name],
    ["Security groups", instance.security_groups.join(", ")],
    ["Tags", instance.tags.join(", ")],
    ["Metadata", metadata.length > 0 && html`<ul>${metadata.map(([name, value]) => html`<li><code>${name}</code> ${value}</li>`)}</ul>`],
    ["Project", instance.project_id],
    ["User", instance.user_id],
    ["Reservation", html`<code>${instance.reservation_id}</code>`],
    ["Created", html`<${When} at=${instance.created_at} />`],
  ];
  return html`<${Facts} of=${isWhole ? [...few, ...rest] : few} />`;
}
