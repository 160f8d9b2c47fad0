// Answers for many cases at once what the page makes of the same events.
import { readFileSync } from "node:fs";
import { elapsed, tasksAfter } from "../../vmwright/web/page/model/records.mjs";
import { extent, timelineOf } from "../../vmwright/web/page/model/timeline.mjs";

const { nodes, edges, cases } = JSON.parse(readFileSync(0, "utf8"));
const answers = cases.map(({ events, state, now }) => {
  const tasks = tasksAfter(nodes, events, state, now);
  const rows = timelineOf(nodes, edges, events);
  return { tasks, elapsed: elapsed(tasks, state, now), rows, extent: extent(rows, now) };
});
console.log(JSON.stringify(answers));
