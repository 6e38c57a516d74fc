"""Dumps for tests: objects in the shapes of the hosted API's answers, under ids that no other test uses."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.running import Locum

Json = dict[str, Any]

T0 = 1_700_000_000


def transfer(
    locum: Locum, *arguments: str, stdin: bytes | None = None, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Runs `locum import`, `export` or `prune` beside the running Locum."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env={**locum.environment, **settings},
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )
    return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())


def write(path: Path, objects: Iterable[Json]) -> Path:
    """Writes a dump."""
    path.write_text("".join(json.dumps(item) + "\n" for item in objects))
    return path


def read(path: Path) -> list[Json]:
    """The objects of a dump."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(printed: str) -> dict[str, tuple[int, int]]:
    """What an import said: by kind, how many are new, and how many were there."""
    rows = (line.split() for line in printed.splitlines()[1:])
    return {row[0]: (int(row[1]), int(row[2])) for row in rows if len(row) == 3 and row[1].isdigit()}


class Shop:
    """A support desk as an application had it: an assistant with manuals and a thread of a few rounds."""

    def __init__(self, model: str) -> None:
        tail = uuid.uuid4().hex[:20]
        self.assistant, self.thread, self.run = f"asst_{tail}", f"thread_{tail}", f"run_{tail}"
        self.store, self.manual, self.photo, self.lost = f"vs_{tail}", f"file-{tail}", f"file-p{tail}", f"file-l{tail}"
        self.azure = f"assistant-{tail}"
        self.messages = [f"msg_{number}{tail}" for number in (3, 1, 2)]
        self.steps = [f"step_{number}{tail}" for number in (2, 1)]
        self.model = model

    @property
    def contents(self) -> dict[str, bytes]:
        """The contents of its files, but for one that was not saved."""
        return {
            self.manual: b"The lamp of the Zephyr kettle blinks twice when the descaling is due.",
            self.photo: b"\x89PNG\r\n\x1a\n not much of a picture",
            self.azure: b"day,orders\n1,17\n",
        }

    def save(self, folder: Path) -> Path:
        """Writes the dump and the contents beside it."""
        beside = folder / "shop.files"
        beside.mkdir(exist_ok=True)
        for file_id, data in self.contents.items():
            (beside / file_id).write_bytes(data)
        return write(folder / "shop.jsonl", self.objects())

    def objects(self) -> list[Json]:
        """Its objects; the messages come before their thread."""
        return [*self._messages(), *self._files(), *self._stores(), self._assistant(), self._thread(), *self._runs()]

    def _file(self, file_id: str, filename: str, purpose: str) -> Json:
        return {
            "object": "file", "id": file_id, "purpose": purpose, "filename": filename,
            "bytes": len(self.contents.get(file_id, b"gone")), "created_at": T0, "expires_at": None,
            "status": "processed", "status_details": None,
        }  # fmt: skip

    def _files(self) -> list[Json]:
        return [
            self._file(self.manual, "Zephyr ☕ manual.txt", "assistants"),
            self._file(self.photo, "kettle.png", "vision"),
            self._file(self.azure, "orders.csv", "assistants"),
            self._file(self.lost, "lost.txt", "assistants"),
        ]

    def _stores(self) -> list[Json]:
        static = {"type": "static", "static": {"max_chunk_size_tokens": 400, "chunk_overlap_tokens": 100}}
        return [
            {
                "id": self.store, "object": "vector_store", "created_at": T0 + 1, "name": "manuals",
                "usage_bytes": 4711, "status": "completed", "expires_after": None, "expires_at": None,
                "last_active_at": T0 + 50, "metadata": {"shelf": "2"},
                "file_counts": {"in_progress": 0, "completed": 2, "failed": 0, "cancelled": 0, "total": 2},
            },
            {
                "id": self.manual, "object": "vector_store.file", "created_at": T0 + 2, "usage_bytes": 4711,
                "vector_store_id": self.store, "status": "completed", "last_error": None,
                "chunking_strategy": static, "attributes": {"product": "Zephyr", "year": 2023, "old": False},
            },
            {
                "id": self.lost, "object": "vector_store.file", "created_at": T0 + 2, "usage_bytes": 1,
                "vector_store_id": self.store, "status": "completed", "last_error": None,
                "chunking_strategy": {"type": "other"}, "attributes": {},
            },
        ]  # fmt: skip

    def _assistant(self) -> Json:
        order = {"name": "order", "description": "Looks up an order.", "strict": False,
                 "parameters": {"type": "object", "properties": {"number": {"type": "string"}}}}  # fmt: skip
        ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
        return {
            "id": self.assistant, "object": "assistant", "created_at": T0 + 3, "name": "Desk", "description": None,
            "model": self.model, "instructions": "Be brief.", "top_p": 1.0, "temperature": 0.25,
            "tools": [
                {"type": "file_search", "file_search": {"ranking_options": ranking}},
                {"type": "function", "function": order},
            ],
            "reasoning_effort": None, "response_format": "auto", "metadata": {"team": "eu"},
            "tool_resources": {"file_search": {"vector_store_ids": [self.store]}},
        }  # fmt: skip

    def _thread(self) -> Json:
        return {
            "id": self.thread, "object": "thread", "created_at": T0 + 4, "metadata": {"user": "u-17"},
            "tool_resources": {"code_interpreter": {"file_ids": [self.azure]}},
        }  # fmt: skip

    def _message(self, message_id: str, role: str, content: list[Json], **more: Any) -> Json:
        return {
            "id": message_id, "object": "thread.message", "created_at": T0 + 5, "assistant_id": None,
            "thread_id": self.thread, "run_id": None, "role": role, "content": content, "attachments": [],
            "metadata": {}, "status": "completed", "completed_at": T0 + 5, "incomplete_at": None,
            "incomplete_details": None, **more,
        }  # fmt: skip

    def _messages(self) -> list[Json]:
        first, second, third = self.messages
        marker = "【4:0†Zephyr ☕ manual.txt】"
        citation = {"type": "file_citation", "text": marker, "start_index": 15, "end_index": 15 + len(marker),
                    "file_citation": {"file_id": self.manual}}  # fmt: skip
        picture = {"type": "image_file", "image_file": {"file_id": self.photo, "detail": "low"}}
        asked = {"type": "text", "text": {"value": "The lamp blinks. Why?", "annotations": []}}
        link = {"type": "image_url", "image_url": {"url": "https://example.com/lamp.png", "detail": "auto"}}
        answered = {"type": "text", "text": {"value": f"Descale it now.{marker}", "annotations": [citation]}}
        attached = {"attachments": [{"file_id": self.azure, "tools": [{"type": "code_interpreter"}]}]}
        by_run = {"assistant_id": self.assistant, "run_id": self.run}
        return [
            self._message(first, "user", [asked, picture], **attached, metadata={"n": "1"}),
            self._message(second, "user", [link]),
            self._message(third, "assistant", [answered], **by_run),
        ]

    def _runs(self) -> list[Json]:
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                 "prompt_token_details": {"cached_tokens": 0},
                 "completion_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
        found = {"file_id": self.manual, "file_name": "Zephyr ☕ manual.txt", "score": 0.8, "attributes": {},
                 "content": [{"type": "text", "text": "blinks twice"}]}  # fmt: skip
        search = {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0}, "results": [found]}
        calls: Json = {
            "type": "tool_calls",
            "tool_calls": [{"id": "call_1", "type": "file_search", "file_search": search}],
        }
        wrote: Json = {"type": "message_creation", "message_creation": {"message_id": self.messages[2]}}
        assistant = self._assistant()
        copied = ("model", "instructions", "tools", "tool_resources", "temperature", "top_p", "reasoning_effort")
        run = {
            "id": self.run, "object": "thread.run", "created_at": T0 + 6, "assistant_id": self.assistant,
            "thread_id": self.thread, "status": "completed", "started_at": T0 + 6, "expires_at": None,
            "cancelled_at": None, "failed_at": None, "completed_at": T0 + 9, "required_action": None,
            "last_error": None, **{name: assistant[name] for name in copied}, "metadata": {},
            "max_completion_tokens": None, "max_prompt_tokens": 5000,
            "truncation_strategy": {"type": "auto", "last_messages": None}, "incomplete_details": None,
            "usage": usage, "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": True,
        }  # fmt: skip
        return [
            run,
            *(
                {
                    "id": step_id, "object": "thread.run.step", "created_at": T0 + 7, "run_id": self.run,
                    "assistant_id": self.assistant, "thread_id": self.thread, "type": details["type"],
                    "status": "completed", "cancelled_at": None, "completed_at": T0 + 8, "expires_at": None,
                    "expired_at": None, "failed_at": None, "last_error": None, "step_details": details,
                    "usage": usage, "metadata": {},
                }
                for step_id, details in zip(self.steps, (calls, wrote), strict=True)
            ),
        ]  # fmt: skip
