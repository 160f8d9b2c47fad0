// The buttons that steer an operation: each asks first.
import { html } from "../html.mjs";
import { post, remove } from "../api.mjs";
import { STANDING_STILL } from "../model/words.mjs";
import { Confirmed } from "../parts/confirm.mjs";
import { navigate } from "../router.mjs";

const WHY = { label: "Reason, which is kept", required: true };

export function Verbs({ operation, tasks, instance, again }) {
  const act = (verb, body) => async () => {
    await post(`/v1/operations/${operation.id}/${verb}`, body);
    again();
  };
  const { state } = operation;
  const mayCancel = operation.kind === "create" && !operation.cancel_reason && ["queued", "running", "interrupted"].includes(state);
  const stuckIn = operation.error?.blocked?.task ?? tasks.find((task) => task.state === "REVERTING")?.id;
  return html`<div class="verbs" role="group" aria-label="Actions">
    ${mayCancel && html`<${Cancel} operation=${operation} again=${again} />`}
    ${["interrupted", "parked"].includes(state) && html`<${Confirmed} label="Resume" title="Go on with this operation?" verb="Resume" act=${act("resume")}>
      <p>It goes on where it was, in the direction in which it went.</p></${Confirmed}>`}
    ${state === "stuck" && html`<${Confirmed} label="Retry" title="Try the undo again?" verb="Retry" tone="primary" act=${act("retry")}>
      <p>For when the cause has been mended.</p></${Confirmed}>`}
    ${state === "stuck" && stuckIn && html`<${Skip} operation=${operation} task=${stuckIn} again=${again} />`}
    ${STANDING_STILL.has(state) && html`<${Abandon} operation=${operation} again=${again} />`}
    ${operation.ended && instance && !instance.deleted_at && html`<${Delete} instance=${instance} />`}
  </div>`;
}

function Cancel({ operation, again }) {
  const cancel = async (reason) => {
    await post(`/v1/operations/${operation.id}/cancel`, reason ? { reason } : undefined);
    again();
  };
  return html`<${Confirmed} label="Cancel build" title="Take this build back?" verb="Take it back" tone="danger" act=${cancel} reason=${{ label: "Reason (optional)" }}>
    <p>Everything that it has made is removed. The instance ends in <b>error</b>, as cancelled.</p></${Confirmed}>`;
}

function Skip({ operation, task, again }) {
  const skip = async (why) => {
    await post(`/v1/operations/${operation.id}/skip`, { task, why });
    again();
  };
  return html`<${Confirmed} label=${`Skip ${task}`} title=${html`Give up the undo of <code>${task}</code>?`} verb="Skip it" tone="danger" act=${skip} reason=${WHY}>
    <p>What it cannot remove is owed, and the operation goes on behind it.</p></${Confirmed}>`;
}

function Abandon({ operation, again }) {
  const abandon = async (why) => {
    await post(`/v1/operations/${operation.id}/abandon`, { why });
    again();
  };
  return html`<${Confirmed} label="Abandon" title="End this operation?" verb="Abandon it" tone="danger" act=${abandon} reason=${WHY}>
    <p>Everything that is left becomes owed, and the instance ends in <b>error</b>.</p></${Confirmed}>`;
}

/** Ends an instance, and shows the operation that does so. */
export function Delete({ instance, label = "Delete instance" }) {
  const act = async () => {
    const operation = await remove(`/v1/instances/${instance.id}`);
    setTimeout(() => navigate(`/operations/${operation.id}`));
  };
  return html`<${Confirmed} label=${label} title=${html`Delete <b>${instance.name}</b>?`} verb="Delete it" tone="danger" act=${act}>
    <p>The guest, its disks and its addresses go. This cannot be undone.</p></${Confirmed}>`;
}
