// A list of which only what can be seen is drawn.
import { useEffect, useLayoutEffect, useState } from "../html.mjs";

const BEYOND = 12;

/** Which rows to draw, `[first, end)`, of `count` rows of one height below the top of an element. */
export function useWindow(element, count, height) {
  const [range, set] = useState([0, 60]);
  const look = () => {
    if (!element.current) return;
    const top = -element.current.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - BEYOND);
    const end = Math.ceil((top + innerHeight) / height) + BEYOND;
    set((before) => (before[0] === first && before[1] === end ? before : [first, end]));
  };
  useLayoutEffect(look, [count, height]);
  useEffect(() => {
    let frame = 0;
    const soon = () => (frame ||= requestAnimationFrame(() => { frame = 0; look(); }));
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [height]);
  return [Math.min(range[0], count), Math.min(Math.max(range[1], 1), count)];
}
