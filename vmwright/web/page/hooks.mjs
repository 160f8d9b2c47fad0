// What several views need: a ticking clock, and things that are asked for and kept fresh.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { serverNow } from "./api.mjs";
import { listen, watchState, whenLive } from "./stream.mjs";

/** The service's time; it moves on only while something is under way. */
export function useNow(isMoving, milliseconds = 1000) {
  const [now, set] = useState(serverNow);
  useEffect(() => {
    if (!isMoving) return undefined;
    set(serverNow());
    const timer = setInterval(() => set(serverNow()), milliseconds);
    return () => clearInterval(timer);
  }, [isMoving, milliseconds]);
  return now;
}

/** `load(signal)` once and whenever `again()` is called; what came last is kept meanwhile. */
export function useLoaded(load, dependencies) {
  const [loaded, set] = useState({ value: null, error: null, isLoading: true });
  const run = useRef(0);
  const again = useCallback(async () => {
    const mine = ++run.current;
    try {
      const value = await load();
      if (mine === run.current) set({ value, error: null, isLoading: false });
    } catch (error) {
      if (mine === run.current) set((before) => ({ ...before, error, isLoading: false }));
    }
  }, dependencies);
  useEffect(() => {
    set({ value: null, error: null, isLoading: true });
    again();
    return () => void run.current++;
  }, [again]);
  const change = useCallback((part) => set((before) => ({ ...before, value: { ...before.value, ...part } })), []);
  return { ...loaded, again, change };
}

/** As `useLoaded`, but only once the stream is open, and again when some of it was missed. */
export function useLive(load, dependencies, heard) {
  const afterOpening = useCallback(async () => {
    await whenLive();
    return load();
  }, dependencies);
  const loaded = useLoaded(afterOpening, [afterOpening]);
  const latest = useRef(heard);
  latest.current = heard;
  useEffect(
    () => listen((events) => latest.current?.(events, loaded.again), loaded.again),
    [loaded.again],
  );
  useRetry(loaded);
  return loaded;
}

/** A call that is made at once, and then at most once in so many milliseconds. */
export function useThrottled(call, milliseconds) {
  const state = useRef({ timer: 0, last: 0 });
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return useCallback(() => {
    const known = state.current;
    if (known.timer) return;
    const wait = Math.max(150, known.last + milliseconds - performance.now());
    known.timer = setTimeout(() => {
      known.timer = 0;
      known.last = performance.now();
      latest.current();
    }, wait);
  }, [milliseconds]);
}

export function useStreamState() {
  const [state, set] = useState("closed");
  useEffect(() => watchState(set), []);
  return state;
}

/** Whether a media query holds. */
export function useMedia(text) {
  const [holds, set] = useState(() => matchMedia(text).matches);
  useEffect(() => {
    const media = matchMedia(text);
    const changed = () => set(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [text]);
  return holds;
}

/** The width of an element, as it changes. */
export function useWidth(element) {
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => set(entry.contentRect.width));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** Name the page in the browser's tab. */
export function useTitle(text) {
  useEffect(() => void (document.title = text ? `${text} · vmwright` : "vmwright"), [text]);
}

// A service that starts again is asked until it answers.
function useRetry({ error, again }) {
  useEffect(() => {
    if (!error || (error.status !== 0 && error.status !== 503)) return undefined;
    const timer = setTimeout(again, 1500);
    return () => clearTimeout(timer);
  }, [error, again]);
}
