"""What the methods of Azure's client for agents come to, and what of its parameters Locum refuses: said here, shown by
the tests of this folder."""

from typing import Final

_THREAD = "/threads/{thread_id}"
_RUN = f"{_THREAD}/runs/{{run_id}}"
_SUBMIT = f"POST {_RUN}/submit_tool_outputs"
_STORE = "/vector_stores/{vector_store_id}"
_BATCH = f"{_STORE}/file_batches/{{batch_id}}"
_PROCESSED = (f"GET {_RUN}", _SUBMIT)

#: By the methods of the Python client.
OPERATIONS: Final[dict[str, tuple[str, ...]]] = {
    "create_agent": ("POST /assistants",),
    "get_agent": ("GET /assistants/{assistant_id}",),
    "update_agent": ("POST /assistants/{assistant_id}",),
    "list_agents": ("GET /assistants",),
    "delete_agent": ("DELETE /assistants/{assistant_id}",),
    "create_thread_and_run": ("POST /threads/runs",),
    "create_thread_and_process_run": ("POST /threads/runs", *_PROCESSED),
    "threads.create": ("POST /threads",),
    "threads.get": (f"GET {_THREAD}",),
    "threads.update": (f"POST {_THREAD}",),
    "threads.list": ("GET /threads",),
    "threads.delete": (f"DELETE {_THREAD}",),
    "messages.create": (f"POST {_THREAD}/messages",),
    "messages.get": (f"GET {_THREAD}/messages/{{message_id}}",),
    "messages.update": (f"POST {_THREAD}/messages/{{message_id}}",),
    "messages.list": (f"GET {_THREAD}/messages",),
    "messages.get_last_message_by_role": (f"GET {_THREAD}/messages",),
    "messages.get_last_message_text_by_role": (f"GET {_THREAD}/messages",),
    "runs.create": (f"POST {_THREAD}/runs",),
    "runs.create_and_process": (f"POST {_THREAD}/runs", *_PROCESSED),
    "runs.stream": (f"POST {_THREAD}/runs", _SUBMIT),
    "runs.get": (f"GET {_RUN}",),
    "runs.update": (f"POST {_RUN}",),
    "runs.list": (f"GET {_THREAD}/runs",),
    "runs.cancel": (f"POST {_RUN}/cancel",),
    "runs.submit_tool_outputs": (_SUBMIT,),
    "runs.submit_tool_outputs_stream": (_SUBMIT,),
    "run_steps.get": (f"GET {_RUN}/steps/{{step_id}}",),
    "run_steps.list": (f"GET {_RUN}/steps",),
    "files.upload": ("POST /files",),
    "files.upload_and_poll": ("POST /files",),
    "files.get": ("GET /files/{file_id}",),
    "files.list": ("GET /files",),
    "files.get_content": ("GET /files/{file_id}/content",),
    "files.save": ("GET /files/{file_id}/content",),
    "files.delete": ("DELETE /files/{file_id}",),
    "vector_stores.create": ("POST /vector_stores",),
    "vector_stores.create_and_poll": ("POST /vector_stores", f"GET {_STORE}"),
    "vector_stores.get": (f"GET {_STORE}",),
    "vector_stores.modify": (f"POST {_STORE}",),
    "vector_stores.list": ("GET /vector_stores",),
    "vector_stores.delete": (f"DELETE {_STORE}",),
    "vector_store_files.create": (f"POST {_STORE}/files",),
    "vector_store_files.create_and_poll": (f"POST {_STORE}/files", f"GET {_STORE}/files/{{file_id}}"),
    "vector_store_files.get": (f"GET {_STORE}/files/{{file_id}}",),
    "vector_store_files.list": (f"GET {_STORE}/files",),
    "vector_store_files.delete": (f"DELETE {_STORE}/files/{{file_id}}",),
    "vector_store_file_batches.create": (f"POST {_STORE}/file_batches",),
    "vector_store_file_batches.create_and_poll": (f"POST {_STORE}/file_batches", f"GET {_BATCH}"),
    "vector_store_file_batches.get": (f"GET {_BATCH}",),
    "vector_store_file_batches.list_files": (f"GET {_BATCH}/files",),
    "vector_store_file_batches.cancel": (f"POST {_BATCH}/cancel",),
}

#: Methods that ask for nothing of their own.
OF_THE_CLIENT: Final = frozenset(("close", "enable_auto_function_calls", "send_request"))
#: Parameters that never leave the client.
CLIENT_PARAMETERS: Final = frozenset(("event_handler", "polling_interval", "timeout", "content_type", "file_path"))

#: How the client names what OpenAI's has by other names. A tool set is its tools and their resources.
RENAMED: Final = {"agent_id": "assistant_id", "toolset": "tools", "store_configuration": "configuration"}

#: What Azure's client can say beyond OpenAI's: by operation and parameter, what it does.
EFFECTS: Final[dict[str, dict[str, str]]] = {
    "POST /threads/{thread_id}/runs": {"tool_resources": "in place of the assistant's, as in `POST /threads/runs`"},
    "GET /threads": {
        "before": "the page that ends before this object",
        "limit": "so many objects at most",
        "order": "`asc` or `desc`, by the time of creation",
    },
    "POST /files": {"filename": "the file's name, where the file itself comes with none, or another"},
}

_ASSETS: Final = "assets of an Azure storage: upload the files, and name them by `file_ids`"
_TYPE_ALONE: Final = "the tool of an attachment is named by its type alone"
#: What Locum refuses with a 400 that names the parameter: by how its path ends, and why.
REFUSED: Final = {
    "tool_resources.azure_ai_search": "Azure AI Search is not served",
    "tool_resources.code_interpreter.data_sources": _ASSETS,
    "tool_resources.file_search.vector_stores": "of agents that are changed, and of runs: make the store before",
    "tool_resources.file_search.vector_stores.configuration": _ASSETS,
    "tool_resources.file_search.vector_stores.name": "make the store before, by `vector_stores.create`",
    "attachments.data_source": _ASSETS,
    "attachments.tools.file_search": _TYPE_ALONE,
    "attachments.tools.function": _TYPE_ALONE,
    "configuration": _ASSETS,
    "data_source": _ASSETS,
    "data_sources": _ASSETS,
}

#: Methods that the Node client has by other names than those of Python in camel case; what it has not.
NODE_NAMES: Final = {
    "runs.createAndPoll": "runs.create_and_process",
    "runs.createThreadAndRun": "create_thread_and_run",
    "vectorStoreFileBatches.list": "vector_store_file_batches.list_files",
    "vectorStores.update": "vector_stores.modify",
}
PYTHON_ONLY: Final = frozenset(
    (
        "create_thread_and_process_run",
        "files.save",
        "messages.get_last_message_by_role",
        "messages.get_last_message_text_by_role",
        "runs.stream",
        "runs.submit_tool_outputs_stream",
    )
)
