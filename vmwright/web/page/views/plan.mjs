// What a request would do, before it is made: nothing of it is done.
import { html } from "../html.mjs";
import { bytes } from "../model/words.mjs";
import { Facts } from "../parts/said.mjs";

export function Plans({ plans }) {
  const [first] = plans;
  return html`<section class="panel" aria-labelledby="plan-title" role="status">
    <h2 id="plan-title">Plan</h2>
    ${plans.length > 1 && html`<p class="muted">The first of ${plans.length}.</p>`}
    <${Facts} of=${[
      ["Host", first.host ?? html`<b>none fits</b>`],
      ["Addresses", first.addresses.length > 0 && html`<ul>${first.addresses.map((one) => html`
        <li><code>${one.ip ?? "any"}</code> on ${one.network} <span class="muted">${one.origin}</span></li>`)}</ul>`],
      ["Disks", html`<ul>${first.disks.map((one) => html`<li>${[one.role, bytes(one.size_bytes)].filter(Boolean).join(" · ")} <span class="muted">${one.source}</span></li>`)}</ul>`],
      ["Remarks", first.remarks.length > 0 && html`<ul>${first.remarks.map((remark) => html`<li>${remark}</li>`)}</ul>`],
    ]} />
    ${first.hosts.length > 0 && html`<table class="plain"><caption class="hidden">Hosts</caption>
      <thead><tr><th scope="col">Host</th><th scope="col">Why</th></tr></thead>
      <tbody>${first.hosts.map((one) => html`<tr><td class="whole">${one.host}</td>
        <td>${one.reason ?? (one.host === first.host ? "chosen" : "would do too")}</td></tr>`)}</tbody></table>`}
  </section>`;
}
