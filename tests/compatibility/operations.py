"""Which operations the client's methods come to, and what Locum does not serve of them, with the reason."""

from typing import Final

_A, _T, _V = "/assistants", "/threads", "/vector_stores"
_THREAD = f"{_T}/{{thread_id}}"
_MESSAGES = f"{_THREAD}/messages"
_RUNS = f"{_THREAD}/runs"
_RUN = f"{_RUNS}/{{run_id}}"
_STORE = f"{_V}/{{vector_store_id}}"
_BATCHES = f"{_STORE}/file_batches"
_POLL = f"GET {_RUN}"

#: By the method: the operations that take its parameters; helpers call others besides.
OPERATIONS: Final[dict[str, tuple[str, ...]]] = {
    "beta.assistants.create": (f"POST {_A}",),
    "beta.assistants.retrieve": (f"GET {_A}/{{assistant_id}}",),
    "beta.assistants.update": (f"POST {_A}/{{assistant_id}}",),
    "beta.assistants.list": (f"GET {_A}",),
    "beta.assistants.delete": (f"DELETE {_A}/{{assistant_id}}",),
    "beta.threads.create": (f"POST {_T}",),
    "beta.threads.retrieve": (f"GET {_THREAD}",),
    "beta.threads.update": (f"POST {_THREAD}",),
    "beta.threads.delete": (f"DELETE {_THREAD}",),
    "beta.threads.create_and_run": (f"POST {_T}/runs",),
    "beta.threads.create_and_run_poll": (f"POST {_T}/runs", _POLL),
    "beta.threads.create_and_run_stream": (f"POST {_T}/runs",),
    "beta.threads.messages.create": (f"POST {_MESSAGES}",),
    "beta.threads.messages.retrieve": (f"GET {_MESSAGES}/{{message_id}}",),
    "beta.threads.messages.update": (f"POST {_MESSAGES}/{{message_id}}",),
    "beta.threads.messages.list": (f"GET {_MESSAGES}",),
    "beta.threads.messages.delete": (f"DELETE {_MESSAGES}/{{message_id}}",),
    "beta.threads.runs.create": (f"POST {_RUNS}",),
    "beta.threads.runs.retrieve": (_POLL,),
    "beta.threads.runs.update": (f"POST {_RUN}",),
    "beta.threads.runs.list": (f"GET {_RUNS}",),
    "beta.threads.runs.cancel": (f"POST {_RUN}/cancel",),
    "beta.threads.runs.poll": (_POLL,),
    "beta.threads.runs.create_and_poll": (f"POST {_RUNS}", _POLL),
    "beta.threads.runs.create_and_stream": (f"POST {_RUNS}",),
    "beta.threads.runs.stream": (f"POST {_RUNS}",),
    "beta.threads.runs.submit_tool_outputs": (f"POST {_RUN}/submit_tool_outputs",),
    "beta.threads.runs.submit_tool_outputs_and_poll": (f"POST {_RUN}/submit_tool_outputs", _POLL),
    "beta.threads.runs.submit_tool_outputs_stream": (f"POST {_RUN}/submit_tool_outputs",),
    "beta.threads.runs.steps.list": (f"GET {_RUN}/steps",),
    "beta.threads.runs.steps.retrieve": (f"GET {_RUN}/steps/{{step_id}}",),
    "files.create": ("POST /files",),
    "files.retrieve": ("GET /files/{file_id}",),
    "files.list": ("GET /files",),
    "files.delete": ("DELETE /files/{file_id}",),
    "files.content": ("GET /files/{file_id}/content",),
    "files.retrieve_content": ("GET /files/{file_id}/content",),
    "files.wait_for_processing": ("GET /files/{file_id}",),
    "uploads.create": ("POST /uploads",),
    "uploads.cancel": ("POST /uploads/{upload_id}/cancel",),
    "uploads.complete": ("POST /uploads/{upload_id}/complete",),
    "uploads.parts.create": ("POST /uploads/{upload_id}/parts",),
    "uploads.upload_file_chunked": (
        "POST /uploads",
        "POST /uploads/{upload_id}/parts",
        "POST /uploads/{upload_id}/complete",
    ),
    "vector_stores.create": (f"POST {_V}",),
    "vector_stores.retrieve": (f"GET {_STORE}",),
    "vector_stores.update": (f"POST {_STORE}",),
    "vector_stores.list": (f"GET {_V}",),
    "vector_stores.delete": (f"DELETE {_STORE}",),
    "vector_stores.search": (f"POST {_STORE}/search",),
    "vector_stores.files.create": (f"POST {_STORE}/files",),
    "vector_stores.files.retrieve": (f"GET {_STORE}/files/{{file_id}}",),
    "vector_stores.files.update": (f"POST {_STORE}/files/{{file_id}}",),
    "vector_stores.files.list": (f"GET {_STORE}/files",),
    "vector_stores.files.delete": (f"DELETE {_STORE}/files/{{file_id}}",),
    "vector_stores.files.content": (f"GET {_STORE}/files/{{file_id}}/content",),
    "vector_stores.files.poll": (f"GET {_STORE}/files/{{file_id}}",),
    "vector_stores.files.create_and_poll": (f"POST {_STORE}/files", f"GET {_STORE}/files/{{file_id}}"),
    "vector_stores.files.upload": ("POST /files", f"POST {_STORE}/files"),
    "vector_stores.files.upload_and_poll": ("POST /files", f"POST {_STORE}/files", f"GET {_STORE}/files/{{file_id}}"),
    "vector_stores.file_batches.create": (f"POST {_BATCHES}",),
    "vector_stores.file_batches.retrieve": (f"GET {_BATCHES}/{{batch_id}}",),
    "vector_stores.file_batches.cancel": (f"POST {_BATCHES}/{{batch_id}}/cancel",),
    "vector_stores.file_batches.list_files": (f"GET {_BATCHES}/{{batch_id}}/files",),
    "vector_stores.file_batches.poll": (f"GET {_BATCHES}/{{batch_id}}",),
    "vector_stores.file_batches.create_and_poll": (f"POST {_BATCHES}", f"GET {_BATCHES}/{{batch_id}}"),
    "vector_stores.file_batches.upload_and_poll": (
        "POST /files",
        f"POST {_BATCHES}",
        f"GET {_BATCHES}/{{batch_id}}",
    ),
    "models.list": ("GET /models",),
    "models.retrieve": ("GET /models/{model}",),
    "chat.completions.create": ("POST /chat/completions",),
    "chat.completions.parse": ("POST /chat/completions",),
    "chat.completions.stream": ("POST /chat/completions",),
    "embeddings.create": ("POST /embeddings",),
}

#: What the Node client has and the Python client has not; what the Python client alone has.
NODE_ONLY: Final = {"chat.completions.run_tools": ("POST /chat/completions",)}
PYTHON_ONLY: Final = frozenset(("files.retrieve_content", "uploads.upload_file_chunked"))

_STORED = "completions are passed on to the model server and not stored"
#: Methods that Locum refuses: 404 or 405 in OpenAI's envelope.
NOT_SERVED: Final = {
    "models.delete": "models belong to the model servers and their operator",
    "chat.completions.list": _STORED,
    "chat.completions.retrieve": _STORED,
    "chat.completions.update": _STORED,
    "chat.completions.delete": _STORED,
    "chat.completions.messages.list": _STORED,
}

#: Parameters that never leave the client: they are for its helpers.
OF_THE_CLIENT: Final = frozenset(
    ("event_handler", "poll_interval", "poll_interval_ms", "max_wait_seconds", "max_concurrency", "part_size")
)

#: What helpers call otherwise than the operation does.
RENAMED: Final = {
    ("uploads.upload_file_chunked", "file"): "data",
    ("vector_stores.file_batches.upload_and_poll", "files"): "file",
    ("files.wait_for_processing", "id"): "file_id",
}

#: What else is different on purpose in requests and answers.
DIFFERENCES: Final = (
    "`OpenAI-Beta: assistants=v1` is served, in the shapes of version 1; OpenAI refused it from 2025 on.",
    "A request without `OpenAI-Beta` is for v2, as Azure's clients send none; OpenAI refused it (400 `invalid_beta`).",
    (
        "`GET /files/{file_id}/content` gives out files of every purpose, which OpenAI refused for `assistants` and "
        "`user_data`: they are the operator's own. `LOCUM_DOWNLOAD_ALL_FILES=false` refuses them."
    ),
    (
        "`Idempotency-Key` is kept to for 24 hours, which OpenAI ignored: a POST that comes again is answered as it "
        "was the first time."
    ),
    (
        "Each event of a stream has an `id:`, and `GET /threads/{thread_id}/runs/{run_id}/events` with `Last-Event-ID` "
        "resumes a stream that was cut off."
    ),
    (
        "Of the rankers, all that are not `none` are the same one; they are taken because clients name them "
        "([retrieval.md](retrieval.md#what-a-score-means))."
    ),
    "Files lie in the sandbox by their ids, as at OpenAI, and by their names, which models prefer.",
    (
        "The object of a batch is `vector_store.file_batch`, as OpenAI sends it; the clients' types say "
        "`vector_store.files_batch`. It matters to a Python client with `_strict_response_validation` alone."
    ),
    (
        "The name of a vector store that was made without one is null, as OpenAI sends it; the clients' types have a "
        "string. It matters to a Python client with `_strict_response_validation` alone."
    ),
    (
        "`instructions` of a run are null where neither it nor its assistant has any, as OpenAI sends them; the "
        "clients' types have a string. It matters to a Python client with `_strict_response_validation` alone."
    ),
    "`POST /vector_stores/{vector_store_id}` takes `description` too, as the object shows it.",
    "Any `model` is taken: the operator's routes say which one answers. OpenAI refused names that it did not know.",
)
