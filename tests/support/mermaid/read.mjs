// Reads flowcharts (a JSON list of texts on stdin) with Mermaid's own parser and says what they hold.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false });

const read = async (text) => {
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const nodes = [...db.getVertices().values()];
  return {
    title: db.getDiagramTitle(),
    nodes: nodes.map(({ id, text, classes }) => ({ id, text, classes })),
    edges: db.getEdges().map(({ start, end, text, stroke }) => ({ start, end, text, stroke })),
    scopes: db.getSubGraphs().map(({ title, nodes }) => ({ title, nodes })),
  };
};

const diagrams = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) diagrams.push(await read(text));
process.stdout.write(JSON.stringify(diagrams));
