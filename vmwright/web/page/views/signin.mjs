// The token is asked for once.
import { html, useState } from "../html.mjs";
import { useTitle } from "../hooks.mjs";
import { Failed } from "../parts/said.mjs";
import { keep, reason } from "../session.mjs";

export function SignIn() {
  const [text, setText] = useState("");
  const [state, set] = useState({ isBusy: false, error: reason() ? { message: reason() } : null });
  useTitle("Sign in");
  const enter = async (event) => {
    event.preventDefault();
    set({ isBusy: true, error: null });
    const error = await refusal(text.trim());
    if (error) set({ isBusy: false, error });
    else keep(text);
  };
  return html`<main class="signin" id="main">
    <form onSubmit=${enter}>
      <h1>vmwright</h1>
      <p class="muted">Watch every build, and steer it.</p>
      <p class="field"><label for="token">Token</label>
        <input id="token" type="password" autocomplete="current-password" spellcheck="false" required
          value=${text} onInput=${(event) => setText(event.target.value)} aria-describedby="token-help" /></p>
      <p class="muted small" id="token-help">The service's own is in the file <code>token</code> of its <code>state_dir</code>.
        It stays in this tab.</p>
      <${Failed} error=${state.error} />
      <p><button class="button primary" disabled=${state.isBusy}>Sign in</button></p>
    </form>
  </main>`;
}

async function refusal(token) {
  try {
    // Characters that no header may hold are in no token either.
    const answer = await fetch("/v1/operations?limit=1", { headers: { Authorization: `Bearer ${encodeURI(token)}` } });
    if (answer.ok) return null;
    const { detail, hint } = await answer.json();
    return { message: detail, hint };
  } catch {
    return { message: "the service does not answer" };
  }
}
