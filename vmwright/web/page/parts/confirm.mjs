// A question before what cannot be taken back.
import { html, useId, useLayoutEffect, useRef, useState } from "../html.mjs";
import { Failed } from "./said.mjs";

/** A button that asks first. `act(reason)` may fail: then its error is shown and nothing closes. */
export function Confirmed({ label, title, children, verb, act, reason, tone = "plain", disabled }) {
  const [isOpen, open] = useState(false);
  return html`
    <button type="button" class=${`button ${tone}`} disabled=${disabled} aria-haspopup="dialog" onClick=${() => open(true)}>${label}</button>
    ${isOpen && html`<${Question} ...${{ title, verb, act, reason, tone, children }} close=${() => open(false)} />`}`;
}

function Question({ title, verb, act, reason, tone, children, close }) {
  const dialog = useRef();
  const [text, setText] = useState("");
  const [state, set] = useState({ isBusy: false, error: null });
  const [heading, field] = [useId(), useId()];
  // At once: what is typed next is meant for it.
  useLayoutEffect(() => dialog.current.showModal(), []);
  const sure = async (event) => {
    event.preventDefault();
    set({ isBusy: true, error: null });
    try {
      await act(text.trim());
      dialog.current.close();
    } catch (error) {
      set({ isBusy: false, error });
    }
  };
  return html`<dialog ref=${dialog} aria-labelledby=${heading} onClose=${close}>
    <form onSubmit=${sure}>
      <h2 id=${heading}>${title}</h2>
      <div class="dialog-text">${children}</div>
      ${reason && html`<p class="field"><label for=${field}>${reason.label}</label>
        <textarea id=${field} rows="2" maxlength="255" required=${reason.required} value=${text} onInput=${(event) => setText(event.target.value)}></textarea></p>`}
      <${Failed} error=${state.error} />
      <p class="dialog-end">
        <button type="button" class="button" onClick=${() => dialog.current.close()}>Not now</button>
        <button type="submit" class=${`button ${tone === "plain" ? "primary" : tone}`} disabled=${state.isBusy}>${verb}</button>
      </p>
    </form>
  </dialog>`;
}
