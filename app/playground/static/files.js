// Files of an assistant, dropped or chosen: into a vector store for search, or by themselves for code.

import { all, get, post, remove, upload } from "./api.js";
import { button, complain, h } from "./dom.js";

const POLL_MS = 700;

/** A place to drop files; each is uploaded with its progress shown, and then given to `added(file, row)`. */
function dropZone(label, rows, added) {
  const input = h("input", { type: "file", multiple: true, class: "unseen", "aria-label": label });
  const zone = h("label", { class: "drop" }, `${label}: drop files here, or `, h("span", { class: "link" }, "choose them"), input);

  async function take(files) {
    await Promise.all([...files].map(async (file) => {
      const progress = h("progress", { max: "1", value: "0", "aria-label": `Upload of ${file.name}` });
      const row = h("li", {}, h("span", { class: "name" }, file.name), progress);
      rows.append(row);
      try {
        const made = await upload(file, "assistants", (share) => (progress.value = share));
        progress.remove();
        await added(made, row);
      } catch (error) {
        row.remove();
        complain(error);
      }
    }));
    zone.dispatchEvent(new Event("change", { bubbles: true }));
  }

  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  zone.addEventListener("dragover", (event) => (event.preventDefault(), zone.classList.add("over")));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  return zone;
}

/** The files of a vector store, which is made for the first of them; with the status of each. */
export function searchFiles(existing) {
  let store = existing;
  let making = null;
  const rows = h("ul", { class: "files", "aria-label": "Files in the vector store" });

  async function added(file, row) {
    making ??= store ? Promise.resolve() : post("/vector_stores", { name: "Files of the playground" }).then(({ id }) => (store = id));
    await making;
    watch(await post(`/vector_stores/${store}/files`, { file_id: file.id }), row);
  }

  async function watch(file, row) {
    const state = h("span", { class: `status ${file.status}` });
    const out = button("Remove", async () => {
      await remove(`/vector_stores/${store}/files/${file.id}`);
      row.remove();
    });
    row.append(state, out);
    try {
      for (;;) {
        state.className = `status ${file.status}`;
        state.textContent = file.last_error ? `failed: ${file.last_error.message}` : file.status.replace("_", " ");
        if (file.status !== "in_progress" || !row.isConnected) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        file = await get(`/vector_stores/${store}/files/${file.id}`);
      }
    } catch (error) {
      if (row.isConnected) complain(error);
    }
  }

  async function load() {
    for (const file of await all(`/vector_stores/${store}/files`)) {
      const row = h("li", {}, h("span", { class: "name" }, file.id));
      rows.append(row);
      watch(file, row);
      get(`/files/${file.id}`).then(({ filename }) => (row.firstChild.textContent = filename)).catch(() => {});
    }
  }

  if (store) load().catch(complain);
  return { element: h("div", { class: "field" }, rows, dropZone("Files for search", rows, added)), storeId: () => store };
}

/** Files that code finds below `/mnt/data`. */
export function codeFiles(existing) {
  let ids = [...existing];
  const rows = h("ul", { class: "files", "aria-label": "Files under /mnt/data" });

  function added(file, row) {
    if (!ids.includes(file.id)) ids.push(file.id);
    row.append(button("Remove", () => {
      ids = ids.filter((id) => id !== file.id);
      row.remove();
    }));
  }

  for (const id of existing) {
    const row = h("li", {}, h("span", { class: "name" }, id));
    rows.append(row);
    added({ id }, row);
    get(`/files/${id}`).then(({ filename }) => (row.firstChild.textContent = filename)).catch(() => {});
  }
  return { element: h("div", { class: "field" }, rows, dropZone("Files for code", rows, added)), fileIds: () => ids };
}
