// What is not as it should be, in the store and on hosts; and what is owed.
import { html } from "../html.mjs";
import { get, post } from "../api.mjs";
import { useLoaded, useTitle } from "../hooks.mjs";
import { count, dateAndTime } from "../model/words.mjs";
import { Confirmed } from "../parts/confirm.mjs";
import { Failed, Waiting } from "../parts/said.mjs";
import { Link } from "../router.mjs";

const VERDICTS = {
  leftover: ["failure", "ours, and what made it has ended without it"],
  unknown: ["reverting", "ours, and the store does not know it"],
  missing: ["failure", "the store says that it is there, and it is not"],
  owed: ["reverted", "to be removed, and not paid yet"],
  stale: ["reverting", "stands still, or nobody works on it"],
  unseen: ["ignore", "its host did not answer"],
  foreign: ["ignore", "somebody else's"],
  expiring: ["ignore", "ends by itself"],
};

export function Audit() {
  useTitle("Audit");
  const audit = useLoaded(() => get("/v1/audit"), []);
  const debts = useLoaded(() => get("/v1/debts"), []);
  const again = () => {
    audit.again();
    debts.again();
  };
  const repair = async () => {
    await post("/v1/audit/repair", {});
    again();
  };
  const findings = audit.value ?? [];
  return html`<div class="heading operation-heading"><div><h1 tabindex="-1">Audit</h1>
      <p class="muted">The store compared with all hosts, both ways. Looking changes nothing.</p></div>
      <div class="verbs"><button type="button" class="button" onClick=${again}>Look again</button>
      ${findings.some((one) => one.verdict === "leftover") && html`<${Confirmed} label="Repair" title="Remove what is left over?" verb="Repair" tone="danger" act=${repair}>
        <p>Each thing is judged again before it is removed. What is unknown or foreign is left.</p></${Confirmed}>`}</div></div>
    <${Failed} error=${audit.error} />
    <section class="panel" aria-labelledby="found-title"><h2 id="found-title">Findings</h2>
      ${audit.isLoading ? html`<${Waiting} />` : audit.value && (findings.length ? html`<${Findings} findings=${findings} />` : html`<p class="muted">Everything is as it should be.</p>`)}</section>
    <section class="panel" aria-labelledby="debts-title"><h2 id="debts-title">Debts</h2>
      ${debts.isLoading ? html`<${Waiting} />` : html`<${Failed} error=${debts.error} /><${Debts} debts=${debts.value ?? []} />`}</section>`;
}

function Findings({ findings }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-labelledby="found-title"><table class="plain"><caption class="hidden">${count(findings.length, "finding")}</caption>
    <thead><tr>${["Verdict", "Kind", "Key", "Host", "Why", "Remedy"].map((word) => html`<th scope="col">${word}</th>`)}</tr></thead>
    <tbody>${findings.map((one) => html`<tr>
      <td><span class=${`pill tone-${VERDICTS[one.verdict]?.[0] ?? "ignore"}`} title=${VERDICTS[one.verdict]?.[1]}><span class="dot" aria-hidden="true"></span>${one.verdict}</span></td>
      <td>${one.kind}</td><td class="key">${one.kind === "operation" ? html`<${Link} to=${`/operations/${one.key}`}>${one.key}</${Link}>` : html`<code>${one.key}</code>`}</td>
      <td>${one.host}</td><td>${one.why}</td><td>${one.remedy}</td></tr>`)}</tbody></table></div>`;
}

function Debts({ debts }) {
  if (!debts.length) return html`<p class="muted">Nothing is owed.</p>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-labelledby="debts-title"><table class="plain">
    <thead><tr>${["Kind", "Key", "Host", "Why", "Tries", "Next try", "Operation"].map((word) => html`<th scope="col">${word}</th>`)}</tr></thead>
    <tbody>${debts.map((one) => html`<tr><td>${one.kind}</td><td class="key"><code>${one.key}</code></td><td>${one.host}</td>
      <td>${one.reason}${one.error && html` <span class="muted">${one.error.message}</span>`}</td><td>${one.tries}</td><td>${dateAndTime(one.not_before)}</td>
      <td>${one.operation_id && html`<${Link} to=${`/operations/${one.operation_id}`}>${one.operation_id.slice(0, 8)}</${Link}>`}</td></tr>`)}</tbody></table></div>`;
}
