// Server-sent events out of a response's body, as they arrive.

const BLANK_LINE = /\r?\n\r?\n/;

/** Each event of the body as `{name, data}`, with `data` parsed; comments are passed over. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let tail = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const isBlockWhole = BLANK_LINE.test(tail + value);
      tail = value.slice(-3);
      waiting += value;
      // An event may be megabytes in many pieces: looking through all of it at each takes long.
      if (!isBlockWhole) continue;
      const blocks = waiting.split(BLANK_LINE);
      waiting = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}

const ENDS = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

/** Whether nothing comes after this event. */
export const isEnd = (event) => ENDS.has(event.data.type ?? event.name);
