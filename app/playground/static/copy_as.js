// Programs that do what was just done: the same assistant, the same messages, the same outputs of functions.

import { BASE } from "./api.js";

/** `{Python, Node, curl}` for a run; `told` are the visitor's messages before it, as the API takes them. */
export function copies(run, told) {
  const outputs = outputsOf(run);
  const body = { assistant_id: run.object.assistant_id, thread: { messages: told } };
  return { Python: inPython(body, outputs), Node: inNode(body, outputs), curl: inCurl(body, outputs) };
}

function outputsOf(run) {
  const calls = [...run.steps.values()].flatMap((step) => step.step_details.tool_calls ?? []);
  const functions = calls.filter((call) => call?.type === "function" && typeof call.function.output === "string");
  return Object.fromEntries(functions.map((call) => [call.function.name, call.function.output]));
}

/** A value as Python writes it; JSON's strings are Python's. */
export function python(value, indent = "") {
  const inner = `${indent}    `;
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return `[\n${value.map((item) => `${inner}${python(item, inner)},\n`).join("")}${indent}]`;
  }
  if (typeof value === "object") {
    if (!Object.keys(value).length) return "{}";
    const items = Object.entries(value).map(([name, item]) => `${inner}${JSON.stringify(name)}: ${python(item, inner)},\n`);
    return `{\n${items.join("")}${indent}}`;
  }
  return JSON.stringify(value);
}

function inPython(body, outputs) {
  const calls = Object.keys(outputs).length > 0;
  const lines = [
    "# pip install openai; the key is in the environment variable OPENAI_API_KEY",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${JSON.stringify(BASE)})`,
    calls ? `outputs = ${python(outputs)}  # in their place: your functions` : null,
    "",
    `thread = client.beta.threads.create(messages=${python(body.thread.messages)})`,
    `with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=${JSON.stringify(body.assistant_id)}) as stream:`,
    "    for text in stream.text_deltas:",
    '        print(text, end="", flush=True)',
    "    run = stream.get_final_run()",
  ];
  if (calls) {
    lines.push(
      'while run.status == "requires_action":',
      "    calls = run.required_action.submit_tool_outputs.tool_calls",
      "    with client.beta.threads.runs.submit_tool_outputs_stream(",
      "        thread_id=thread.id,",
      "        run_id=run.id,",
      '        tool_outputs=[{"tool_call_id": call.id, "output": outputs[call.function.name]} for call in calls],',
      "    ) as stream:",
      "        for text in stream.text_deltas:",
      '            print(text, end="", flush=True)',
      "        run = stream.get_final_run()",
    );
  }
  lines.push(
    "print()",
    "",
    'for message in client.beta.threads.messages.list(thread.id, run_id=run.id, order="asc"):',
    "    for part in message.content:",
    '        if part.type == "text":',
    "            for annotation in part.text.annotations:",
    "                print(annotation.text, annotation.to_dict())",
    'print(run.status, run.usage and run.usage.total_tokens, "tokens")',
    "",
  );
  return lines.filter((line) => line !== null).join("\n");
}

function inNode(body, outputs) {
  const calls = Object.keys(outputs).length > 0;
  const submitting = `while (run.status === "requires_action") {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  run = await show(
    client.beta.threads.runs.submitToolOutputsStream(run.id, {
      thread_id: thread.id,
      tool_outputs: calls.map((call) => ({ tool_call_id: call.id, output: outputs[call.function.name] })),
    }),
  );
}
`;
  return `// npm install openai; the key is in the environment variable OPENAI_API_KEY
import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(BASE)} });
${calls ? `const outputs = ${JSON.stringify(outputs, null, 2)}; // in their place: your functions\n` : ""}
async function show(stream) {
  stream.on("textDelta", (delta) => process.stdout.write(delta.value ?? ""));
  return stream.finalRun();
}

const thread = await client.beta.threads.create(${JSON.stringify({ messages: body.thread.messages }, null, 2)});
let run = await show(client.beta.threads.runs.stream(thread.id, { assistant_id: ${JSON.stringify(body.assistant_id)} }));
${calls ? submitting : ""}console.log(\`\\n\${run.status}, \${run.usage?.total_tokens} tokens\`);
`;
}

function inCurl(body, outputs) {
  const quoted = JSON.stringify({ ...body, stream: true }, null, 2).replaceAll("'", "'\\''");
  const headers = `  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "OpenAI-Beta: assistants=v2" \\
  -H "Content-Type: application/json" \\`;
  const more = Object.keys(outputs).length
    ? `\n# The run then waits for outputs: POST them to threads/{thread_id}/runs/{run_id}/submit_tool_outputs\n`
    : "";
  return `curl -N ${BASE}/threads/runs \\\n${headers}\n  -d '${quoted}'\n${more}`;
}
