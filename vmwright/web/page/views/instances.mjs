// Living instances.
import { html, useEffect, useRef, useState } from "../html.mjs";
import { get } from "../api.mjs";
import { useLive, useMedia, useThrottled, useTitle } from "../hooks.mjs";
import { VmState } from "../parts/marks.mjs";
import { Empty, Failed, Waiting } from "../parts/said.mjs";
import { useWindow } from "../parts/window.mjs";
import { Link } from "../router.mjs";

const PATH = "/v1/instances?limit=100";

export function Instances() {
  useTitle("Instances");
  const [rows, set] = useState([]);
  const [next, setNext] = useState(null);
  // What was looked at is looked at again; what lies further on is read as one gets there.
  const load = async () => {
    const page = await get(PATH, { as: "page" });
    set((before) => [...page.items, ...before.slice(page.items.length)]);
    setNext((before) => (page.next && before) || page.next);
    return page;
  };
  const loaded = useLive(load, [], (events) => events.some((event) => event.kind === "instance") && soon());
  const soon = useThrottled(loaded.again, 2000);
  const busy = useRef(false);
  const more = async () => {
    if (busy.current || !next) return;
    busy.current = true;
    const page = await get(next, { as: "page" }).finally(() => (busy.current = false));
    set((before) => [...before, ...page.items]);
    setNext(page.next);
  };
  return html`<div class="heading"><h1 tabindex="-1">Instances</h1></div>
    <${Failed} error=${loaded.error} />
    ${loaded.isLoading ? html`<${Waiting} />` : rows.length ? html`<${Rows} rows=${rows} next=${next} more=${more} />`
      : html`<${Empty}>There are none. <${Link} to="/create">Create one</${Link}></${Empty}>`}`;
}

function Rows({ rows, next, more }) {
  const height = useMedia("(max-width: 720px)") ? 69 : 45;
  const body = useRef();
  const [first, end] = useWindow(body, rows.length, height);
  useEffect(() => void (next && end >= rows.length - 20 && more()), [end, rows.length, next]);
  return html`<table class="list instances" role="table" aria-rowcount=${next ? -1 : rows.length + 1}>
    <thead role="rowgroup"><tr role="row" aria-rowindex="1">${["State", "Name", "Host", "Addresses", "Image", "Size"].map((word) => html`<th role="columnheader" scope="col">${word}</th>`)}</tr></thead>
    <tbody role="rowgroup" ref=${body}>
      ${first > 0 && html`<tr class="space" aria-hidden="true" style=${{ height: `${first * height}px` }}></tr>`}
      ${rows.slice(first, end).map((row, index) => html`<tr role="row" class="row" key=${row.id} aria-rowindex=${first + index + 2}>
        <td role="cell" class="cell-state"><${VmState} state=${row.vm_state} task=${row.task_state} /></td>
        <td role="cell" class="cell-name"><${Link} to=${`/instances/${row.id}`}>${row.name}</${Link}></td>
        <td role="cell" class="cell-host">${row.host}</td>
        <td role="cell" class="cell-now">${row.addresses.map((one) => one.ip).join(", ")}</td>
        <td role="cell" class="cell-kind">${row.image}</td>
        <td role="cell" class="cell-took">${row.flavor.vcpus} vCPU · ${row.flavor.ram} MiB</td>
      </tr>`)}
      ${end < rows.length && html`<tr class="space" aria-hidden="true" style=${{ height: `${(rows.length - end) * height}px` }}></tr>`}
    </tbody></table>`;
}
