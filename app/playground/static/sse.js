// Server-sent events out of a response. (EventSource can send neither a key nor a body.)

/** The events of a stream, `{id, event, data}` each, with `data` parsed; ends before `done`. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let current = { data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line !== "") {
          take(current, line);
          continue;
        }
        if (current.event === "done") return;
        if (current.data.length) yield { ...current, data: JSON.parse(current.data.join("\n")) };
        current = { data: [] };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function take(current, line) {
  const at = line.indexOf(":");
  const name = at < 0 ? line : line.slice(0, at);
  const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
  if (name === "data") current.data.push(value);
  else if (name === "event" || name === "id") current[name] = value;
}
