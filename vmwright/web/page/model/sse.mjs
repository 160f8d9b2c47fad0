// Server-sent events out of a stream of text. Pure.

/** A function that takes pieces of text, and gives the messages `{id, event, data}` complete so far. */
export function reader() {
  let rest = "";
  let id = null;
  return (text) => {
    const blocks = (rest + text).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    return blocks.map((block) => {
      const message = { event: "message", data: "" };
      const data = [];
      for (const line of block.split("\n")) {
        const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (field === "id") id = value;
        else if (field === "event") message.event = value;
        else if (field === "data") data.push(value);
      }
      return { ...message, id, data: data.join("\n") };
    });
  };
}
