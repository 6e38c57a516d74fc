"""A project with an object of every kind."""

from typing import Any

import httpx2

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import wait_for

_MODEL = "scripted-security"


def made_objects(owner: httpx2.Client, backend: CompletionBackend) -> dict[str, str]:
    """Makes them; gives their ids by the names of path parameters. The assistant has a file, as v1 would have it."""

    def made(path: str, body: Any = None, **options: Any) -> str:
        answer = owner.post(f"/v1{path}", **({} if body is None else {"json": body}), **options)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    backend.script(_MODEL, Turn(text="Hello."), repeat=True)
    file = made("/files", files={"file": ("a.txt", b"Hello")}, data={"purpose": "assistants"})
    tools = [{"type": "code_interpreter"}]
    resources = {"code_interpreter": {"file_ids": [file]}}
    told = {"model": _MODEL, "instructions": "Be brief."}
    assistant = made("/assistants", {**told, "tools": tools, "tool_resources": resources})
    thread = made("/threads", {})
    attached = [{"file_id": file, "tools": tools}]
    message = made(f"/threads/{thread}/messages", {"role": "user", "content": "Hi", "attachments": attached})
    run = made(f"/threads/{thread}/runs", {"assistant_id": assistant})
    path = f"/v1/threads/{thread}/runs/{run}"
    wait_for(lambda: owner.get(path).json()["status"] == "completed", "the run", 30)
    (step,) = owner.get(f"{path}/steps").json()["data"]
    announced = {"filename": "b.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
    upload = made("/uploads", announced)
    part = made(f"/uploads/{upload}/parts", files={"data": ("b", b"x")})
    store = made("/vector_stores", {})
    batch = made(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
    batch_path = f"/v1/vector_stores/{store}/file_batches/{batch}"
    wait_for(lambda: owner.get(batch_path).json()["status"] != "in_progress", "the file", 30)
    return {
        "assistant_id": assistant,
        "thread_id": thread,
        "message_id": message,
        "run_id": run,
        "step_id": step["id"],
        "file_id": file,
        "upload_id": upload,
        "part_id": part,
        "vector_store_id": store,
        "batch_id": batch,
        "model": _MODEL,
        # Of the operator's objects, which no key of a project sees.
        "project_id": "proj_000000000",
        "key_id": "key_000000000",
    }
