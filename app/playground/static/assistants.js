// Assistants: the list of them, and a form with every field of one.

import { BASE, all, get, post, remove } from "./api.js";
import { button, complain, copy, field, fill, h, time } from "./dom.js";
import { codeFiles, searchFiles } from "./files.js";
import { metadataFields } from "./metadata.js";
import { toolFields } from "./tools.js";
import { python } from "./copy_as.js";

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

export async function showAssistants(place) {
  const assistants = await all("/assistants");
  place.append(h("div", { class: "head" }, h("h1", {}, "Assistants"), h("a", { class: "button primary", href: "#/assistants/new" }, "New assistant")));
  if (!assistants.length) {
    place.append(h("p", { class: "muted" }, "There are none yet. An assistant is a model with instructions, tools and files."));
    return;
  }
  const rows = assistants.map((assistant) =>
    h("tr", {},
      h("td", {}, h("a", { href: `#/assistants/${assistant.id}` }, assistant.name || "(no name)"), h("small", {}, assistant.id)),
      h("td", {}, assistant.model),
      h("td", {}, assistant.tools.map((tool) => tool.function?.name ?? tool.type.replace("_", " ")).join(", ")),
      h("td", {}, time(assistant.created_at)),
      h("td", {}, h("a", { href: `#/threads/new?assistant_id=${assistant.id}` }, "Chat"), " ", h("a", { href: `#/threads?assistant_id=${assistant.id}` }, "Threads"))));
  const head = h("tr", {}, ["Assistant", "Model", "Tools", "Created", ""].map((name) => h("th", { scope: "col" }, name)));
  place.append(h("div", { class: "wide" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows))));
}

export async function showAssistant(place, id) {
  const isNew = id === "new";
  const [assistant, models] = await Promise.all([isNew ? {} : get(`/assistants/${id}`), get("/models").catch(() => ({ data: [] }))]);
  const form = new AssistantForm(assistant, models.data.map((model) => model.id));
  const save = h("button", { class: "primary" }, isNew ? "Create" : "Save");
  const actions = h("div", { class: "actions" }, save);
  if (!isNew) actions.append(...more(assistant, form));
  form.element.append(actions);
  form.element.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    try {
      const saved = await post(isNew ? "/assistants" : `/assistants/${id}`, form.value());
      // What was still being typed elsewhere is not lost: only a new assistant has a new address.
      if (isNew) location.hash = `#/assistants/${saved.id}`;
      else fill(actions, save, ...more(saved, form), h("span", { class: "muted", role: "status" }, "Saved."));
    } catch (error) {
      complain(error);
    } finally {
      save.disabled = false;
    }
  });
  place.append(h("div", { class: "head" }, h("h1", {}, isNew ? "New assistant" : assistant.name || "Assistant"), !isNew && h("code", {}, id)), form.element);
}

function more(assistant, form) {
  return [
    h("a", { class: "button", href: `#/threads/new?assistant_id=${assistant.id}` }, "Chat"),
    button("Copy as Python", () => copy(inPython(form.value()))),
    h("span", { class: "gap" }),
    button("Delete", async () => {
      if (!confirm("Delete this assistant? Its threads and files stay.")) return;
      await remove(`/assistants/${assistant.id}`);
      location.hash = "#/assistants";
    }, { class: "danger" }),
  ];
}

function inPython(fields) {
  const given = Object.entries(fields).map(([name, value]) => `    ${name}=${python(value, "    ")},\n`).join("");
  return `from openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(BASE)})\nassistant = client.beta.assistants.create(\n${given})\nprint(assistant.id)\n`;
}

/** The fields of an assistant. */
class AssistantForm {
  constructor(assistant, models) {
    const number = (value, max) => h("input", { type: "number", min: "0", max, step: "0.01", value: value ?? 1 });
    const options = (names, value) => {
      const select = h("select", {}, names.map(([name, label]) => h("option", { value: name }, label)));
      select.value = value ?? "";
      return select;
    };
    this.name = h("input", { value: assistant.name ?? "", maxlength: "256" });
    this.description = h("input", { value: assistant.description ?? "", maxlength: "512" });
    this.model = h("input", { value: assistant.model ?? models[0] ?? "", required: true, maxlength: "256", list: "models" });
    this.instructions = h("textarea", { rows: "8", value: assistant.instructions ?? "", maxlength: "256000" });
    this.temperature = number(assistant.temperature, "2");
    this.topP = number(assistant.top_p, "1");
    this.effort = options([["", "not set"], ...EFFORTS.map((name) => [name, name])], assistant.reasoning_effort);
    const format = assistant.response_format;
    this.format = options([["auto", "auto"], ["text", "text"], ["json_object", "JSON"], ["json_schema", "JSON by a schema"]], format?.type ?? "auto");
    this.schema = h("textarea", { rows: "6", class: "code", value: format?.json_schema ? JSON.stringify(format.json_schema, null, 2) : '{\n  "name": "answer",\n  "schema": {"type": "object", "properties": {}}\n}' });
    this.schemaField = field("Schema of the answer", this.schema, "A name and a JSON schema.");
    this.tools = toolFields(assistant.tools ?? []);
    this.search = searchFiles(assistant.tool_resources?.file_search?.vector_store_ids?.[0]);
    this.code = codeFiles(assistant.tool_resources?.code_interpreter?.file_ids ?? []);
    this.metadata = metadataFields(assistant.metadata);
    this.#lay(models);
  }

  #lay(models) {
    const visible = () => {
      this.schemaField.hidden = this.format.value !== "json_schema";
      this.search.element.hidden = !this.tools.has("file_search");
      this.code.element.hidden = !this.tools.has("code_interpreter");
    };
    this.element = h("form", { class: "card assistant" },
      h("datalist", { id: "models" }, models.map((model) => h("option", { value: model }))),
      field("Name", this.name), field("Model", this.model), field("Instructions", this.instructions),
      this.tools.element, this.search.element, this.code.element,
      h("details", {}, h("summary", {}, "More"),
        field("Description", this.description),
        h("div", { class: "columns" }, field("Temperature", this.temperature), field("Top P", this.topP), field("Reasoning effort", this.effort), field("Answers as", this.format)),
        this.schemaField, h("div", { class: "field" }, h("span", { class: "label" }, "Metadata"), this.metadata.element)));
    this.element.addEventListener("change", visible);
    visible();
  }

  /** What the API is sent. Throws where a schema is no JSON. */
  value() {
    const resources = {};
    if (this.tools.has("file_search")) resources.file_search = { vector_store_ids: this.search.storeId() ? [this.search.storeId()] : [] };
    if (this.tools.has("code_interpreter")) resources.code_interpreter = { file_ids: this.code.fileIds() };
    return {
      name: this.name.value || null,
      description: this.description.value || null,
      model: this.model.value,
      instructions: this.instructions.value || null,
      tools: this.tools.value(),
      tool_resources: resources,
      temperature: Number(this.temperature.value),
      top_p: Number(this.topP.value),
      reasoning_effort: this.effort.value || null,
      response_format: this.#format(),
      metadata: this.metadata.value(),
    };
  }

  #format() {
    if (this.format.value === "auto") return "auto";
    if (this.format.value !== "json_schema") return { type: this.format.value };
    try {
      return { type: "json_schema", json_schema: JSON.parse(this.schema.value) };
    } catch (error) {
      throw new Error(`The schema of the answer is no JSON: ${error.message}`);
    }
  }
}
