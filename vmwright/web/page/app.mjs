// The page: who may look, which view the address names, and what surrounds each of them.
import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { useStreamState } from "./hooks.mjs";
import { Link, useAddress } from "./router.mjs";
import { forget, onChange, takeFromAddress, token } from "./session.mjs";
import { open, start, stop } from "./stream.mjs";
import { Audit } from "./views/audit.mjs";
import { Create } from "./views/create.mjs";
import { Hosts } from "./views/hosts.mjs";
import { InstanceView } from "./views/instance.mjs";
import { Instances } from "./views/instances.mjs";
import { OperationView } from "./views/operation.mjs";
import { Operations } from "./views/operations.mjs";
import { SignIn } from "./views/signin.mjs";
import { Announcements } from "./parts/announce.mjs";

const VIEWS = [
  [/^\/$/, Operations, "/"],
  [/^\/operations\/([^/]+)$/, OperationView, "/"],
  [/^\/instances$/, Instances, "/instances"],
  [/^\/instances\/([^/]+)$/, InstanceView, "/instances"],
  [/^\/create$/, Create, "/create"],
  [/^\/hosts$/, Hosts, "/hosts"],
  [/^\/audit$/, Audit, "/audit"],
];

const PLACES = [["/", "Operations"], ["/instances", "Instances"], ["/hosts", "Hosts"], ["/audit", "Audit"]];

function Page() {
  const [known, set] = useState(token);
  useEffect(() => onChange(() => set(token())), []);
  useEffect(() => (known ? void open() : stop()), [known]);
  return known ? html`<${Known} key=${known} />` : html`<${SignIn} />`;
}

function Known() {
  const address = useAddress();
  const [, View, place] = VIEWS.find(([pattern]) => pattern.test(address.pathname)) ?? VIEWS[0];
  const [, id] = VIEWS.map(([pattern]) => pattern.exec(address.pathname)).find(Boolean) ?? [];
  const main = useRef();
  useFocusOnArrival(main, address.pathname);
  return html`
    <a class="skip" href="#main" onClick=${(event) => skip(event, main.current)}>Skip to the content</a>
    <header class="top">
      <${Link} to="/" class="brand"><${Mark} /><span>vmwright</span></${Link}>
      <nav aria-label="Main">
        ${PLACES.map(([to, word]) => html`
          <${Link} to=${to} aria-current=${place === to ? "page" : undefined}>${word}</${Link}>`)}
      </nav>
      <div class="top-end">
        <${Liveness} />
        <${Link} to="/create" class="button primary small" aria-current=${place === "/create" ? "page" : undefined}><span>Create <span class="wide">instance</span></span></${Link}>
        <button class="button quiet small" onClick=${() => forget()}>Sign out</button>
      </div>
    </header>
    <main id="main" ref=${main} tabindex="-1"><${View} key=${address.pathname} id=${id && decodeURIComponent(id)} address=${address} /></main>
    <${Announcements} />`;
}

function Mark() {
  return html`<svg class="brand-mark" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M12 6v3.500m0 0c0 3-5 1.500-5 5.500m5-5.500c0 3 5 1.500 5 5.500" />
    <rect x="8.500" y="2" width="7" height="4.500" rx="1.500" /><rect x="3.500" y="15.500" width="7" height="4.500" rx="1.500" />
    <rect x="13.500" y="15.500" width="7" height="4.500" rx="1.500" /></svg>`;
}

const LIVENESS = { live: "live", connecting: "connecting", waiting: "reconnecting", closed: "paused" };

function Liveness() {
  const state = useStreamState();
  return html`<span class="liveness" data-state=${state}><span class="dot" aria-hidden="true"></span>
    <span class="wide">${LIVENESS[state]}</span></span>`;
}

// A new view is read from its heading, as a new page would be: once it has one.
function useFocusOnArrival(main, path) {
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    const wasFirst = isFirst.current;
    isFirst.current = false;
    if (wasFirst) return undefined;
    scrollTo(0, 0);
    main.current.focus({ preventScroll: true });
    const observer = new MutationObserver(arrive);
    function arrive() {
      const heading = main.current.querySelector("h1");
      if (!heading) return;
      observer.disconnect();
      // Whoever has gone on meanwhile is not called back.
      if (document.activeElement === main.current) heading.focus({ preventScroll: true });
    }
    observer.observe(main.current, { childList: true, subtree: true });
    arrive();
    return () => observer.disconnect();
  }, [path]);
}

function skip(event, main) {
  event.preventDefault();
  main.focus();
}

takeFromAddress();
start();
render(html`<${Page} />`, document.getElementById("page"));
