// A form that asks for an instance; the service says what it thinks of it.
import { html, useEffect, useRef, useState } from "../html.mjs";
import { get, post } from "../api.mjs";
import { useLoaded, useTitle } from "../hooks.mjs";
import { bytes } from "../model/words.mjs";
import { Failed, Waiting } from "../parts/said.mjs";
import { Link, navigate } from "../router.mjs";
import { Plans } from "./plan.mjs";

export function Create() {
  useTitle("Create an instance");
  const loaded = useLoaded(async () => {
    const [images, flavors, networks] = await Promise.all(["images", "flavors", "networks"].map((noun) => get(`/v1/${noun}`)));
    return { images, flavors: flavors.filter((flavor) => flavor.enabled), networks };
  }, []);
  return html`<div class="heading"><h1 tabindex="-1">Create an instance</h1></div>
    <${Failed} error=${loaded.error} />
    ${loaded.isLoading ? html`<${Waiting} />` : loaded.value && html`<${Form} ...${loaded.value} />`}`;
}

const IDLE = { isBusy: false, error: null, accepted: null, plans: null };

function Form({ images, flavors, networks }) {
  const [wish, setWish] = useState({ name: "", image: images[0]?.name ?? "", flavor: flavors[0]?.name ?? "", count: 1 });
  const [chosen, choose] = useState(networks.length ? [networks[0].name] : []);
  const [volumes, setVolumes] = useState([]);
  const [state, set] = useState(IDLE);
  // Sent twice, it is built once.
  const key = useRef(crypto.randomUUID());
  const change = (name) => (event) => setWish({ ...wish, [name]: event.target.value });
  const send = async (event) => {
    event.preventDefault();
    // What was asked for when its button was pressed.
    const isPlan = event.submitter?.value === "plan";
    const body = bodyOf(wish, chosen, volumes);
    set({ ...IDLE, isBusy: true });
    try {
      if (isPlan) set({ ...IDLE, plans: await post("/v1/plan", { requests: [body] }) });
      else set({ ...IDLE, accepted: await post("/v1/instances", body, { extra: { "Idempotency-Key": key.current } }) });
    } catch (error) {
      if (error.status !== 0) key.current = crypto.randomUUID();
      set({ ...IDLE, error });
    }
  };
  if (state.accepted) return html`<${Accepted} accepted=${state.accepted} />`;
  return html`<div class="planned"><form class="panel form" onSubmit=${send}>
    <p class="field"><label for="name">Name</label><input id="name" required maxlength="255" autocomplete="off" spellcheck="false" value=${wish.name} onInput=${change("name")} /></p>
    <p class="field"><label for="image">Image</label><select id="image" value=${wish.image} onChange=${change("image")} required>
      ${images.map((image) => html`<option value=${image.name}>${image.name} (${bytes(image.virtual_size_bytes)})</option>`)}</select></p>
    <p class="field"><label for="flavor">Flavor</label><select id="flavor" value=${wish.flavor} onChange=${change("flavor")} required>
      ${flavors.map((flavor) => html`<option value=${flavor.name}>${flavor.name} (${flavor.vcpus} vCPU, ${flavor.ram_mib} MiB, ${flavor.disk_gib} GiB)</option>`)}</select></p>
    <fieldset class="field"><legend>Networks</legend>
      ${networks.length ? networks.map((network) => html`<label class="check"><input type="checkbox" checked=${chosen.includes(network.name)}
        onChange=${() => choose(toggled(chosen, network.name))} /> ${network.name} <span class="muted">${network.cidr}</span></label>`) : html`<p class="muted">There are none.</p>`}</fieldset>
    <${Volumes} volumes=${volumes} change=${setVolumes} />
    <p class="field short"><label for="count">How many</label><input id="count" type="number" min="1" max="1000" required value=${wish.count} onInput=${change("count")} /></p>
    <${Failed} error=${state.error} />
    <p class="verbs"><button class="button primary" disabled=${state.isBusy}>${state.isBusy ? "Asking…" : "Create"}</button>
      <button class="button" value="plan" disabled=${state.isBusy}>Plan</button></p>
  </form>
  ${state.plans && html`<${Plans} plans=${state.plans} />`}</div>`;
}

const toggled = (names, name) => (names.includes(name) ? names.filter((one) => one !== name) : [...names, name]);

function Volumes({ volumes, change }) {
  const added = useRef(false);
  const list = useRef();
  useEffect(() => {
    if (added.current) list.current.querySelector("li:last-child input")?.focus();
    added.current = false;
  }, [volumes.length]);
  const add = () => {
    added.current = true;
    change([...volumes, { id: crypto.randomUUID(), size: 1, keep: false }]);
  };
  const set = (id, part) => change(volumes.map((one) => (one.id === id ? { ...one, ...part } : one)));
  return html`<fieldset class="field"><legend>Volumes</legend>
    <ul class="volumes" ref=${list}>${volumes.map((one, index) => html`<li key=${one.id}>
      <label class="check">Size in GiB <input type="number" min="1" required value=${one.size} onInput=${(event) => set(one.id, { size: event.target.value })} /></label>
      <label class="check"><input type="checkbox" checked=${one.keep} onChange=${() => set(one.id, { keep: !one.keep })} /> outlives the instance</label>
      <button type="button" class="button quiet small" aria-label=${`Remove volume ${index + 1}`} onClick=${() => change(volumes.filter((other) => other.id !== one.id))}>Remove</button></li>`)}</ul>
    <button type="button" class="button small" onClick=${add}>Add a volume</button></fieldset>`;
}

function bodyOf(wish, networks, volumes) {
  return {
    name: wish.name.trim(),
    image: wish.image || null,
    flavor: wish.flavor,
    min_count: Number(wish.count),
    networks: networks.map((network) => ({ network })),
    volumes: volumes.map((one) => ({ size: Number(one.size), delete_on_termination: !one.keep })),
  };
}

function Accepted({ accepted }) {
  const first = accepted.instances[0];
  const heading = useRef();
  useEffect(() => heading.current.focus(), []);
  return html`<section class="panel accepted"><h2 ref=${heading} tabindex="-1">Accepted</h2>
    <p>The administrator's password is told now and never again:</p>
    <table class="plain"><thead><tr><th scope="col">Instance</th><th scope="col">Password</th></tr></thead>
      <tbody>${accepted.instances.map((one) => html`<tr><td><${Link} to=${`/operations/${one.operation.id}`}>${one.instance.name}</${Link}></td><td><code>${one.admin_password ?? "as you gave it"}</code></td></tr>`)}</tbody></table>
    <p><button type="button" class="button primary" onClick=${() => navigate(accepted.instances.length > 1 ? "/?state=active" : `/operations/${first.operation.id}`)}>Watch it being built</button></p>
  </section>`;
}
