// What a guest writes to its serial console, while somebody looks.
import { html, useEffect, useRef, useState } from "../html.mjs";
import { Problem, headers } from "../api.mjs";
import { Failed } from "../parts/said.mjs";

const MOST = 64 * 1024;
const STEERING = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]/g;

export function Console({ instance }) {
  const [isOpen, open] = useState(false);
  if (!instance.host || instance.deleted_at) return null;
  return html`<section class="panel" aria-labelledby="console-title">
    <h2 id="console-title">Serial console</h2>
    <button type="button" class="button small panel-end" aria-expanded=${String(isOpen)} onClick=${() => open(!isOpen)}>${isOpen ? "Stop" : "Follow"}</button>
    ${isOpen ? html`<${Followed} instance=${instance} />` : html`<p class="muted">What the guest writes is shown from when it is followed.</p>`}
  </section>`;
}

function Followed({ instance }) {
  const [text, set] = useState("");
  const [error, setError] = useState(null);
  const output = useRef();
  useEffect(() => {
    const abort = new AbortController();
    follow(instance.id, abort.signal, (more) => set((before) => (before + more.replaceAll(STEERING, "")).slice(-MOST)))
      .catch((problem) => abort.signal.aborted || setError(problem));
    return () => abort.abort();
  }, [instance.id]);
  useEffect(() => void (output.current && (output.current.scrollTop = output.current.scrollHeight)), [text]);
  if (error) return html`<${Failed} error=${error} />`;
  return html`<pre class="console" ref=${output} tabindex="0" aria-label="Serial console">${text || "Nothing yet: the guest is silent.\n"}</pre>`;
}

async function follow(instance, signal, take) {
  const answer = await fetch(`/v1/instances/${instance}/console`, { headers: headers(), signal, cache: "no-store" });
  if (!answer.ok) throw new Problem(answer.status, await answer.json());
  const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await text.read(); !piece.done; piece = await text.read()) take(piece.value);
}
