"""Uploads: files in parts, through the official client."""

import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg
import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI
from openai.types import Upload

from tests.api.forms import HEADERS, beginning_of_file, field, file, form, stored
from tests.running import Locum, wait_for

DATA = random.Random(2).randbytes(5 * 2**20 + 7)


def begin(client: OpenAI, size: int = len(DATA), **options: Any) -> Upload:
    """A new upload."""
    given = {"filename": "Bård.txt", "purpose": "assistants", "bytes": size, "mime_type": "text/plain", **options}
    return client.uploads.create(**given)


def add(client: OpenAI, upload: Upload, data: bytes) -> str:
    """The id of a new part."""
    return client.uploads.parts.create(upload.id, data=data).id


def pieces(size: int) -> list[bytes]:
    return [DATA[start : start + size] for start in range(0, len(DATA), size)]


def refused(call: Any) -> tuple[str, str | None, str | None]:
    """Message, param and code of the 400 that `call` gets."""
    with pytest.raises(BadRequestError) as caught:
        call()
    body: Any = caught.value.body
    return body["message"], body["param"], body["code"]


def test_parts_in_any_order_make_a_file(client: OpenAI, http: httpx2.Client, locum: Locum) -> None:
    upload = begin(client)
    assert upload.id.startswith("upload_")
    assert (upload.object, upload.status, upload.bytes, upload.file) == ("upload", "pending", len(DATA), None)
    assert (upload.filename, upload.purpose) == ("Bård.txt", "assistants")
    assert upload.expires_at == upload.created_at + 3600

    parts = pieces(2**20)
    with ThreadPoolExecutor(4) as threads:
        part_ids = list(threads.map(lambda data: add(client, upload, data), reversed(parts)))[::-1]
    assert set(part_ids) <= set(stored(locum))
    md5 = hashlib.md5(DATA).hexdigest()
    completed = client.uploads.complete(upload.id, part_ids=part_ids, md5=md5.upper())
    assert completed.status == "completed"
    assert completed.file is not None
    assert (completed.file.bytes, completed.file.filename, completed.file.expires_at) == (len(DATA), "Bård.txt", None)
    assert client.files.retrieve(completed.file.id) == completed.file
    assert client.files.content(completed.file.id).read() == DATA
    assert not set(part_ids) & set(stored(locum))


def test_a_part(client: OpenAI) -> None:
    upload = begin(client, 3)
    part = client.uploads.parts.create(upload.id, data=b"abc")
    assert part.id.startswith("part_")
    assert (part.object, part.upload_id) == ("upload.part", upload.id)


def test_parts_that_are_not_named_are_left_out(client: OpenAI) -> None:
    """A client that did not hear of its part sends it again."""
    upload = begin(client, 6)
    first, _, second = (add(client, upload, data) for data in (b"abc", b"def", b"def"))
    completed = client.uploads.complete(upload.id, part_ids=[second, first])
    assert completed.file is not None
    assert client.files.content(completed.file.id).read() == b"defabc"


def test_the_file_of_an_upload_may_expire(client: OpenAI) -> None:
    upload = begin(client, 3, expires_after={"anchor": "created_at", "seconds": 7200})
    completed = client.uploads.complete(upload.id, part_ids=[add(client, upload, b"abc")])
    assert completed.file is not None
    assert completed.file.expires_at == completed.file.created_at + 7200


def test_the_helper_of_the_client(client: OpenAI) -> None:
    completed = client.uploads.upload_file_chunked(
        file=DATA, filename="data.txt", bytes=len(DATA), mime_type="text/plain", purpose="assistants",
        part_size=2**20, md5=hashlib.md5(DATA).hexdigest(),
    )  # fmt: skip
    assert completed.file is not None
    assert client.files.content(completed.file.id).read() == DATA


# What is refused.


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"bytes": 0}, "bytes", "integer_below_min_value"),
        ({"bytes": 8 * 2**30 + 1}, "bytes", "integer_above_max_value"),
        ({"bytes": "3"}, "bytes", "invalid_type"),
        ({"filename": ""}, "filename", "string_below_min_length"),
        ({"mime_type": None}, "mime_type", "invalid_type"),
        ({"purpose": "fun"}, "purpose", None),
        ({"purpose": "assistants_output"}, "purpose", None),
        ({"expires_after": {"anchor": "created_at"}}, "expires_after.seconds", "missing_required_parameter"),
        ({"md5": "x"}, "md5", "unknown_parameter"),
    ],
)
def test_uploads_that_are_refused(client: OpenAI, options: Any, param: str, code: str | None) -> None:
    extra = {"extra_body": options}
    assert refused(lambda: begin(client, 3, **extra))[1:] == (param, code)


def test_what_is_missing_from_an_upload(http: httpx2.Client) -> None:
    error = http.post("/uploads", json={"filename": "a", "purpose": "batch", "bytes": 1}).json()["error"]
    assert error["message"] == "Missing required parameter: 'mime_type'."


def test_parts_that_make_no_file(client: OpenAI, http: httpx2.Client) -> None:
    upload, other = begin(client, 6), begin(client, 6)
    mine, more, foreign = add(client, upload, b"abc"), add(client, upload, b"de"), add(client, other, b"def")

    def complete(*part_ids: str, **options: Any) -> tuple[str, str | None, str | None]:
        return refused(lambda: client.uploads.complete(upload.id, part_ids=list(part_ids), **options))

    wrong = "invalid_value"
    assert complete(mine, more) == (
        "The parts hold 5 bytes, but the upload was created for 6 bytes.",
        "part_ids",
        wrong,
    )
    message = f"Invalid 'part_ids[1]': upload '{upload.id}' has no part '{foreign}'."
    assert complete(mine, foreign) == (message, "part_ids[1]", wrong)
    assert complete(mine, "part_none")[1:] == ("part_ids[1]", wrong)
    message = f"Invalid 'part_ids[1]': part '{mine}' is named more than once."
    assert complete(mine, mine) == (message, "part_ids[1]", wrong)
    assert complete()[1:] == ("part_ids", "array_below_min_length")

    rest = add(client, upload, b"f")
    message = f"The MD5 checksum of the parts is '{hashlib.md5(b'abcdef').hexdigest()}', which is not '{'0' * 32}'."
    assert complete(mine, more, rest, md5="0" * 32) == (message, "md5", wrong)
    assert complete(mine, more, rest, md5="0")[1:] == ("md5", wrong)
    assert client.uploads.complete(upload.id, part_ids=[mine, more, rest]).status == "completed"


@pytest.mark.parametrize(
    ("parts", "message", "param"),
    [
        ([], "Missing required parameter: 'data'.", "data"),
        ([file(b"", field="data")], "Invalid 'data': the file is empty.", "data"),
        ([field("data", "x")], "Invalid type for 'data': expected a file, but got a string instead.", "data"),
        ([file(field="file")], "Unknown parameter: 'file'.", "file"),
    ],
)
def test_parts_that_are_refused(
    client: OpenAI, http: httpx2.Client, parts: list[bytes], message: str, param: str
) -> None:
    upload = begin(client)
    error = http.post(f"/uploads/{upload.id}/parts", headers=HEADERS, content=form(*parts)).json()["error"]
    assert (error["message"], error["param"]) == (message, param)


@pytest.mark.parametrize("announced", [True, False])
def test_a_part_that_is_too_large(client: OpenAI, http: httpx2.Client, locum: Locum, announced: bool) -> None:
    limit = 64 * 2**20
    upload = begin(client, 2 * limit)
    before = set(stored(locum))

    def chunks() -> Iterator[bytes]:
        yield beginning_of_file("data")
        for _ in range(limit // 2**20 + 1):
            yield bytes(2**20)
        yield b"\r\n" + form()

    if announced:
        with pytest.raises(APIStatusError) as caught:
            add(client, upload, bytes(limit + 2 * 2**20))
        assert caught.value.status_code == 413
    else:
        answer = http.post(f"/uploads/{upload.id}/parts", headers=HEADERS, content=chunks())
        message = f"The file is too large. Expected {limit} bytes at most."
        assert (answer.status_code, answer.json()["error"]["message"]) == (413, message)
    assert set(stored(locum)) <= before
    assert client.uploads.cancel(upload.id).status == "cancelled"


def test_what_has_ended_takes_no_more(client: OpenAI) -> None:
    completed, cancelled = begin(client, 3), begin(client, 3)
    part_id = add(client, completed, b"abc")
    client.uploads.complete(completed.id, part_ids=[part_id])
    assert client.uploads.cancel(cancelled.id).to_dict()["status"] == "cancelled"
    for upload, status in ((completed, "completed"), (cancelled, "cancelled")):
        for call, words in (
            (lambda: add(client, upload, b"abc"), "add a part to"),  # noqa: B023
            (lambda: client.uploads.complete(upload.id, part_ids=[part_id]), "complete"),  # noqa: B023
            (lambda: client.uploads.cancel(upload.id), "cancel"),  # noqa: B023
        ):
            assert refused(call) == (f"Cannot {words} upload with status '{status}'.", None, None)


def test_uploads_of_another_project_are_not_there(client: OpenAI, other_client: OpenAI) -> None:
    mine = begin(client, 3)
    for call in (
        lambda: add(other_client, mine, b"abc"),
        lambda: other_client.uploads.complete(mine.id, part_ids=["part_1"]),
        lambda: other_client.uploads.cancel(mine.id),
    ):
        with pytest.raises(NotFoundError, match=f"No upload found with id '{mine.id}'"):
            call()
    assert refused(lambda: client.uploads.cancel("undefined"))[1:] == ("upload_id", "invalid_value")


# What happens at once, too late, or never.


def test_of_many_who_complete_an_upload_one_wins(client: OpenAI, locum: Locum) -> None:
    upload = begin(client)
    part_ids = [add(client, upload, data) for data in pieces(2**20)]
    before = set(stored(locum))
    together = threading.Barrier(4)

    def complete() -> Upload | str:
        together.wait()
        try:
            return client.uploads.complete(upload.id, part_ids=part_ids)
        except BadRequestError as error:
            return str(error.body["message"])  # type: ignore[index]

    with ThreadPoolExecutor(4) as threads:
        outcomes = [future.result() for future in [threads.submit(complete) for _ in range(4)]]
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Upload)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert lost == ["Cannot complete upload with status 'completed'."] * 3
    assert won.file is not None
    assert client.files.content(won.file.id).read() == DATA
    kept = {won.file.id}
    wait_for(lambda: set(stored(locum)) - before <= kept, "the bytes of those who lost to go")


def test_parts_that_go_while_they_are_looked_for(client: OpenAI, locum: Locum, database: psycopg.Connection) -> None:
    """What is told is what became of the upload, not that it lacks its parts."""
    upload = begin(client)
    part_ids = [add(client, upload, data) for data in pieces(2**20)]
    waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    with psycopg.connect(locum.database_url) as other, ThreadPoolExecutor(1) as threads:
        other.execute("LOCK TABLE upload_parts IN ACCESS EXCLUSIVE MODE")
        asked = threads.submit(client.uploads.complete, upload.id, part_ids=part_ids)
        mine = other.info.backend_pid
        wait_for(lambda: database.execute(waits, [mine]).fetchone() == (1,), "the request to wait")
        other.execute("UPDATE uploads SET status = 'cancelled' WHERE id = %s", [upload.id])
        other.execute("DELETE FROM upload_parts WHERE upload_id = %s", [upload.id])
        other.commit()
        with pytest.raises(BadRequestError, match="Cannot complete upload with status 'cancelled'"):
            asked.result()


def test_an_upload_that_is_cancelled_takes_its_parts_with_it(client: OpenAI, locum: Locum) -> None:
    upload = begin(client)
    part_ids = {add(client, upload, data) for data in pieces(2**20)}
    assert part_ids <= set(stored(locum))
    client.uploads.cancel(upload.id)
    assert not part_ids & set(stored(locum))


def test_a_part_that_comes_too_late_leaves_nothing(client: OpenAI, locum: Locum) -> None:
    upload = begin(client)
    before = set(stored(locum))
    body = form(file(b"late", field="data"))
    head = [
        f"POST /v1/uploads/{upload.id}/parts HTTP/1.1",
        "Host: locum",
        f"Authorization: Bearer {locum.api_key}",
        f"Content-Type: {HEADERS['Content-Type']}",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection(("127.0.0.1", locum.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:-20])
        wait_for(lambda: set(stored(locum)) - before, "the part that is being written")
        client.uploads.cancel(upload.id)
        connection.sendall(body[-20:])
        assert connection.recv(64).startswith(b"HTTP/1.1 400 ")
    assert set(stored(locum)) <= before


def test_an_upload_is_over_after_its_hour(client: OpenAI, locum: Locum, database: psycopg.Connection) -> None:
    upload = begin(client, 3)
    part_id = add(client, upload, b"abc")
    # The sweep passes over rows that others hold.
    with database.transaction():
        database.execute("SELECT id FROM uploads WHERE id = %s FOR KEY SHARE", [upload.id])
        with psycopg.connect(locum.database_url, autocommit=True) as connection:
            connection.execute("UPDATE uploads SET expires_at = now() WHERE id = %s", [upload.id])
        message = "Cannot complete upload with status 'expired'."
        assert refused(lambda: client.uploads.complete(upload.id, part_ids=[part_id]))[0] == message
        assert part_id in stored(locum)
    wait_for(lambda: part_id not in stored(locum), "the parts of the expired upload to go")
    found = database.execute("SELECT status FROM uploads WHERE id = %s", [upload.id]).fetchone()
    assert found == ("expired",)
    assert refused(lambda: client.uploads.cancel(upload.id))[0] == "Cannot cancel upload with status 'expired'."


def test_a_file_that_is_deleted_leaves_its_upload(client: OpenAI, database: psycopg.Connection) -> None:
    upload = begin(client, 3)
    completed = client.uploads.complete(upload.id, part_ids=[add(client, upload, b"abc")])
    assert completed.file is not None
    client.files.delete(completed.file.id)
    found = database.execute("SELECT status, file_id FROM uploads WHERE id = %s", [upload.id]).fetchone()
    assert found == ("completed", None)
