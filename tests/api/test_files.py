"""Files, through the official client, and by hand where that is too well behaved."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import psutil
import psycopg
import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI

from app import ids
from app.services.file_sweep import LISTED_KEY
from tests.api.forms import BOUNDARY, HEADERS, beginning_of_file, field, file, form, part, stored
from tests.running import Locum, free_port, wait_for

DATA = bytes(range(256)) * 40
PURPOSE = field("purpose", "assistants")


def upload(client: OpenAI, data: bytes = DATA, name: str = "data.bin", **options: Any) -> str:
    """The id of a new file."""
    return client.files.create(file=(name, data), **{"purpose": "assistants", **options}).id


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None, str | None]:
    """Status, message, param and code of an error."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return answer.status_code, error["message"], error["param"], error["code"]


def no_such_file(file_id: str) -> tuple[int, str, str | None, str | None]:
    return 404, f"No such File object: {file_id}", "id", None


# Making, reading, deleting.


def test_a_file_is_made_read_and_deleted(client: OpenAI, http: httpx2.Client, locum: Locum) -> None:
    made = client.files.create(file=("Bård 語.txt", DATA), purpose="user_data")
    assert made.id.startswith("file-")
    assert list(http.get(f"/files/{made.id}").json()) == [
        *("object", "id", "purpose", "filename", "bytes", "created_at", "expires_at", "status", "status_details")
    ]
    assert (made.object, made.filename, made.bytes, made.purpose) == ("file", "Bård 語.txt", len(DATA), "user_data")
    assert (made.status, made.expires_at) == ("processed", None)
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == DATA
    assert made.id in stored(locum)

    assert client.files.delete(made.id).to_dict() == {"id": made.id, "object": "file", "deleted": True}
    assert made.id not in stored(locum)
    for path in (f"/files/{made.id}", f"/files/{made.id}/content"):
        assert refusal(http.get(path)) == no_such_file(made.id)
    assert refusal(http.delete(f"/files/{made.id}")) == no_such_file(made.id)


def test_no_beta_header_is_wanted(locum: Locum) -> None:
    with httpx2.Client(base_url=locum.base_url, headers={"Authorization": f"Bearer {locum.api_key}"}) as plain:
        made = plain.post("/files", files={"file": ("a.txt", b"x")}, data={"purpose": "assistants"})
        assert made.status_code == 200
        assert plain.delete(f"/files/{made.json()['id']}").status_code == 200


@pytest.mark.parametrize("purpose", ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"])
def test_purposes(http: httpx2.Client, purpose: str) -> None:
    made = http.post("/files", files={"file": ("a.txt", b"x")}, data={"purpose": purpose}).json()
    assert made["purpose"] == purpose
    assert http.get(f"/files/{made['id']}/content").content == b"x"
    # The official client's own types do not know `evals`: no list that it reads may have one.
    assert http.delete(f"/files/{made['id']}").status_code == 200


def test_expiry_is_counted_from_the_making(client: OpenAI) -> None:
    made = client.files.create(
        file=("a.txt", b"x"), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.expires_at == made.created_at + 3600


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 1, 2), (1, 3, 2, 0)])
def test_fields_may_come_before_and_behind_the_file(http: httpx2.Client, order: tuple[int, ...]) -> None:
    parts = [PURPOSE, field("expires_after[anchor]", "created_at"), field("expires_after[seconds]", "7200"), file(DATA)]
    made = http.post("/files", headers=HEADERS, content=form(*(parts[at] for at in order))).json()
    assert (made["purpose"], made["expires_at"] - made["created_at"]) == ("assistants", 7200)
    assert http.get(f"/files/{made['id']}/content").content == DATA


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ('filename="../../etc/passwd"', "../../etc/passwd"),
        ('filename="C:\\notes\\a.txt"', "C:\\notes\\a.txt"),
        ('filename="say %22hi%22.txt"', 'say "hi".txt'),
        ('filename="say \\"hi\\".txt"', 'say "hi".txt'),
        ('filename="100%25 sure; really.txt"', "100%25 sure; really.txt"),
        ("filename=token.txt", "token.txt"),
        ('filename="語.txt"', "語.txt"),
        (b'filename="B\xe5rd.txt"', "Bård.txt"),
        ("filename*=UTF-8''B%C3%A5rd%20%E8%AA%9E.txt", "Bård 語.txt"),
        ("filename=\"Bard.txt\"; filename*=iso-8859-1'no'B%E5rd.txt", "Bård.txt"),
        ("filename=\"plain.txt\"; filename*=klingon''x", "plain.txt"),
        ('FileName="a.txt"', "a.txt"),
    ],
)
def test_names_of_files_are_kept_as_they_were_meant(http: httpx2.Client, parameters: str | bytes, name: str) -> None:
    raw = parameters.encode() if isinstance(parameters, str) else parameters
    body = form(PURPOSE, part(b'form-data; name="file"; ' + raw, b"x"))
    made = http.post("/files", headers=HEADERS, content=body).json()
    assert made["filename"] == name
    content = http.get(f"/files/{made['id']}/content")
    assert content.content == b"x"
    assert content.headers["content-disposition"].isascii()


def test_data_that_looks_like_a_boundary_is_data(http: httpx2.Client) -> None:
    data = f"\r\n--{BOUNDARY[:-1]}\r\n\r\n--{BOUNDARY[:-1]}--\r\n-\r\r\n".encode() * 9000
    made = http.post("/files", headers=HEADERS, content=form(file(data), PURPOSE)).json()
    assert http.get(f"/files/{made['id']}/content").content == data


# What is refused.

MISSING = "missing_required_parameter"
TOO_SHORT = (
    "Invalid 'filename': string too short. "
    "Expected a string with minimum length 1, but got a string with length 0 instead."
)
TOO_LONG = (
    "Invalid 'filename': string too long. "
    "Expected a string with maximum length 1024, but got a string with length 1025 instead."
)
TOO_SOON = "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 9 instead."
PURPOSES = "['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals']"


@pytest.mark.parametrize(
    ("parts", "message", "param", "code"),
    [
        ([PURPOSE], "Missing required parameter: 'file'.", "file", MISSING),
        ([file()], "Missing required parameter: 'purpose'.", "purpose", MISSING),
        ([], "Missing required parameter: 'file'.", "file", MISSING),
        ([field("purpose", "x"), file()], f"'x' is not one of {PURPOSES} - 'purpose'", "purpose", None),
        ([file(), field("purpose", "")], f"'' is not one of {PURPOSES} - 'purpose'", "purpose", None),
        (
            [field("purpose", "assistants_output"), file()],
            f"'assistants_output' is not one of {PURPOSES} - 'purpose'",
            "purpose",
            None,
        ),
        ([PURPOSE, file(), field("name", "n")], "Unknown parameter: 'name'.", "name", "unknown_parameter"),
        ([PURPOSE, file(), file()], "Invalid 'file': given more than once.", "file", "invalid_value"),
        ([PURPOSE, PURPOSE, file()], "Invalid 'purpose': given more than once.", "purpose", "invalid_value"),
        ([PURPOSE, file(b"")], "Invalid 'file': the file is empty.", "file", "empty_file"),
        (
            [PURPOSE, field("file", "text")],
            "Invalid type for 'file': expected a file, but got a string instead.",
            "file",
            "invalid_type",
        ),
        (
            [PURPOSE, file(name="")],
            TOO_SHORT,
            "filename",
            "string_below_min_length",
        ),
        (
            [PURPOSE, file(name="n" * 1025)],
            TOO_LONG,
            "filename",
            "string_above_max_length",
        ),
        (
            [PURPOSE, file(name="a\0b")],
            "Invalid 'file': the character U+0000 cannot be stored.",
            "file",
            "invalid_value",
        ),
        (
            [PURPOSE, file(), part('form-data; name="expires_after[anchor]"', b"\xff")],
            "Invalid 'expires_after[anchor]': not encoded in UTF-8.",
            "expires_after[anchor]",
            "invalid_value",
        ),
        (
            [field("purpose", "p" * 5000), file()],
            "Invalid 'purpose': longer than 4096 bytes.",
            "purpose",
            "string_above_max_length",
        ),
        (
            [PURPOSE, file(), field("expires_after[anchor]", "created_at")],
            "Missing required parameter: 'expires_after.seconds'.",
            "expires_after.seconds",
            MISSING,
        ),
        (
            [PURPOSE, field("expires_after[anchor]", "now"), field("expires_after[seconds]", "3600"), file()],
            "Invalid value: 'now'. Supported values are: 'created_at'.",
            "expires_after.anchor",
            "invalid_value",
        ),
        (
            [PURPOSE, field("expires_after[anchor]", "created_at"), file(), field("expires_after[seconds]", "9")],
            TOO_SOON,
            "expires_after.seconds",
            "integer_below_min_value",
        ),
        (
            [PURPOSE, field("expires_after[anchor]", "created_at"), field("expires_after[seconds]", "soon"), file()],
            "Invalid type for 'expires_after.seconds': expected an integer, but got a string instead.",
            "expires_after.seconds",
            "invalid_type",
        ),
    ],
)
def test_what_is_wrong_with_a_form(
    http: httpx2.Client, locum: Locum, parts: list[bytes], message: str, param: str, code: str | None
) -> None:
    before = set(stored(locum))
    answer = http.post("/files", headers=HEADERS, content=form(*parts))
    assert refusal(answer) == (400, message, param, code)
    assert set(stored(locum)) <= before


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"{}", "Invalid Content-Type header (application/json), expected multipart/form-data."),
        ("", b"", "Invalid Content-Type header (), expected multipart/form-data."),
        ("multipart/form-data", form(PURPOSE, file()), "its content type names no boundary."),
        (f"multipart/form-data; boundary={'b' * 300}", b"", "Boundary length 300 exceeds maximum of 256."),
        (HEADERS["Content-Type"], b"", "it ends before its closing boundary."),
        (HEADERS["Content-Type"], b"no form at all", "could not be read as multipart/form-data"),
        (HEADERS["Content-Type"], form(PURPOSE, file())[:-12], "it ends before its closing boundary."),
        (HEADERS["Content-Type"], form(PURPOSE, part("form-data", b"x")), "one of its parts has no name."),
        (HEADERS["Content-Type"], b"--a-boundary\r\n\r\nx\r\n--a-boundary--\r\n", "one of its parts has no name."),
        (HEADERS["Content-Type"], form(*(field("purpose", "") for _ in range(1))) * 2, "Missing required parameter"),
        (HEADERS["Content-Type"], b"--a-boundary\r\nb\xff: x\r\n\r\nx", "Found invalid character"),
    ],
)
def test_what_is_no_form(http: httpx2.Client, locum: Locum, content_type: str, body: bytes, message: str) -> None:
    before = set(stored(locum))
    status, text, _, _ = refusal(http.post("/files", headers={"Content-Type": content_type}, content=body))
    assert status == 400
    assert message in text
    assert set(stored(locum)) <= before


def open_request(locum: Locum, key: str, length: int) -> socket.socket:
    """A request for a file of which no byte of the body has been sent."""
    connection = socket.create_connection(("127.0.0.1", locum.port), timeout=10)
    head = [
        "POST /v1/files HTTP/1.1",
        "Host: locum",
        f"Authorization: Bearer {key}",
        f"Content-Type: {HEADERS['Content-Type']}",
        f"Content-Length: {length}",
    ]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def test_the_key_is_asked_for_before_the_file(locum: Locum) -> None:
    with open_request(locum, "sk-wrong", 10**8) as connection:
        assert connection.recv(64).startswith(b"HTTP/1.1 401 ")


def test_a_purpose_that_is_wrong_is_told_before_the_file_has_come(locum: Locum) -> None:
    with open_request(locum, locum.api_key, 10**8) as connection:
        connection.sendall(field("purpose", "fun") + beginning_of_file())
        assert connection.recv(64).startswith(b"HTTP/1.1 400 ")


def test_while_bytes_flow_no_transaction_is_open_and_a_client_who_leaves_leaves_nothing(
    locum: Locum, database: psycopg.Connection
) -> None:
    before = set(stored(locum))
    with open_request(locum, locum.api_key, 10**8) as connection:
        connection.sendall(PURPOSE + file(DATA)[:-20])
        wait_for(lambda: set(stored(locum)) - before, "the file that is being written")
        query = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        wait_for(lambda: database.execute(query).fetchone() == (0,), "no open transaction")
        assert [name for name in set(stored(locum)) - before if name.startswith("file-")] == []
    wait_for(lambda: set(stored(locum)) <= before, "the bytes to be gone")


@pytest.fixture(scope="module")
def strict(locum: Locum) -> Iterator[Locum]:
    """Another API process on the same data: it takes small files alone, and keeps those that OpenAI keeps."""
    port = free_port()
    environment = {
        **locum.environment,
        "LOCUM_PORT": str(port),
        "LOCUM_MAX_FILE_BYTES": "100000",
        "LOCUM_DOWNLOAD_ALL_FILES": "false",
    }
    other = Locum(environment, locum.logs, locum.database_url, port, locum.api_key)
    other.start("strict-api", "api")
    try:
        other.wait_until_ready()
        yield other
    finally:
        other.stop("strict-api")


def test_the_largest_file(strict: Locum) -> None:
    with strict.client() as client:
        made = client.files.create(file=("a.txt", bytes(100_000)), purpose="batch")
        assert made.bytes == 100_000


@pytest.mark.parametrize("size", [100_001, 40_000_000], ids=["by what comes", "by what is announced"])
def test_a_file_that_is_too_large(strict: Locum, size: int) -> None:
    before = set(stored(strict))
    with strict.client() as client, pytest.raises(APIStatusError) as caught:
        client.files.create(file=("a.txt", bytes(size)), purpose="assistants")
    assert caught.value.status_code == 413
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "invalid_request_error"
    assert "limit" in caught.value.message or "too large" in caught.value.message
    assert set(stored(strict)) <= before


def test_a_file_that_is_too_large_and_not_announced(strict: Locum) -> None:
    def chunks() -> Iterator[bytes]:
        yield PURPOSE + beginning_of_file()
        for _ in range(400):
            yield bytes(100_000)

    before = set(stored(strict))
    headers = {"Authorization": f"Bearer {strict.api_key}", **HEADERS}
    with httpx2.Client(base_url=strict.base_url, headers=headers, timeout=30) as http:
        answer = http.post("/files", content=chunks())
        assert refusal(answer)[:2] == (413, "The file is too large. Expected 100000 bytes at most.")
        assert http.get("/files?limit=1").status_code == 200
    assert set(stored(strict)) <= before


@pytest.mark.parametrize("purpose", ["assistants", "user_data"])
def test_content_that_openai_would_not_give_back(strict: Locum, client: OpenAI, purpose: Any) -> None:
    file_id = upload(client, purpose=purpose)
    with strict.client() as other, pytest.raises(BadRequestError) as caught:
        other.files.content(file_id)
    assert caught.value.body == {
        "message": f"Not allowed to download files of purpose: {purpose}",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_content_that_openai_gives_back(strict: Locum, client: OpenAI) -> None:
    with strict.client() as other:
        assert other.files.content(upload(client, purpose="vision")).read() == DATA


# Content.


@pytest.fixture(scope="module")
def content_path(client: OpenAI) -> str:
    return f"/files/{upload(client, name='Bård.bin')}/content"


def test_content(http: httpx2.Client, content_path: str) -> None:
    answer = http.get(content_path)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''B%C3%A5rd.bin"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100-", 100, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        ("bytes=-99999999", 0, len(DATA)),
        (f"bytes=5-{10**15}", 5, len(DATA)),
        ("Bytes = 1 - 2", 1, 3),
    ],
)
def test_a_range(http: httpx2.Client, content_path: str, asked: str, start: int, end: int) -> None:
    answer = http.get(content_path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-2", "bytes=-", "bytes=x", "lines=1-2", "bytes=٣-٤"])
def test_a_range_that_is_none_is_passed_over(http: httpx2.Client, content_path: str, asked: str) -> None:
    answer = http.get(content_path, headers={b"Range": asked.encode()})
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", f"bytes={len(DATA)}-{len(DATA) + 5}", "bytes=-0"])
def test_a_range_behind_the_end(http: httpx2.Client, content_path: str, asked: str) -> None:
    answer = http.get(content_path, headers={"Range": asked})
    message = f"The requested range is not within the {len(DATA)} bytes of the file."
    assert refusal(answer) == (416, message, "range", None)
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_a_range_of_another_version_is_all_of_this_one(http: httpx2.Client, content_path: str) -> None:
    etag = http.get(content_path).headers["etag"]
    for if_range, status in ((etag, 206), ('"another"', 200)):
        assert http.get(content_path, headers={"Range": "bytes=0-3", "If-Range": if_range}).status_code == status


def test_large_files_pass_through_little_memory(locum: Locum, http: httpx2.Client) -> None:
    """benchmarks/files.py measures 512 MB; this bound is that one's, for a fifth of the bytes."""
    process = psutil.Process(locum.processes["api"].pid)
    piece, count = os.urandom(2**20), 100

    def chunks() -> Iterator[bytes]:
        yield beginning_of_file()
        for _ in range(count):
            yield piece
        yield b"\r\n" + form(PURPOSE)

    before = process.memory_info().rss
    made = http.post("/files", headers=HEADERS, content=chunks()).json()
    assert made["bytes"] == count * len(piece)
    assert process.memory_info().rss - before < 50 * 2**20

    read = 0
    with http.stream("GET", f"/files/{made['id']}/content") as answer:
        for chunk in answer.iter_bytes(len(piece)):
            assert chunk == piece
            read += 1
    assert read == count
    assert process.memory_info().rss - before < 50 * 2**20
    http.delete(f"/files/{made['id']}")


def test_a_client_who_leaves_a_download_leaves_no_open_file(locum: Locum, client: OpenAI, http: httpx2.Client) -> None:
    process = psutil.Process(locum.processes["api"].pid)
    # More than the kernel takes on its way from one process to the other, as it sees fit.
    file_id = upload(client, bytes(200 * 2**20))

    def is_open() -> bool:
        return any(file_id in opened.path for opened in process.open_files())

    with http.stream("GET", f"/files/{file_id}/content") as answer:
        # Held until it has been looked: what reads an answer closes it when it goes.
        pieces = answer.iter_bytes(1024)
        next(pieces)
        assert is_open()
    wait_for(lambda: not is_open(), "the file to be closed")
    client.files.delete(file_id)


# Lists.


def test_lists(locum: Locum) -> None:
    with locum.client(locum.new_project()) as client:
        assert client.files.list().to_dict() == {
            "object": "list",
            "data": [],
            "first_id": None,
            "last_id": None,
            "has_more": False,
        }
        made = [upload(client, purpose=("batch", "vision")[number % 2]) for number in range(7)]
        assert [found.id for found in client.files.list()] == made[::-1]
        assert [found.id for found in client.files.list(order="asc", limit=2)] == made
        assert [found.id for found in client.files.list(purpose="vision", order="asc")] == made[1::2]
        assert [found.id for found in client.files.list(after=made[3], limit=10_000)] == made[2::-1]
        assert client.files.list(purpose="nothing").data == []
        page = client.files.list(limit=3)
        assert (len(page.data), page.has_more) == (3, True)


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ({"limit": 0}, "limit", "integer_below_min_value"),
        ({"limit": 10_001}, "limit", "integer_above_max_value"),
        ({"order": "up"}, "order", "invalid_value"),
        ({"after": "asst_1"}, "after", "invalid_value"),
        ({"purpose": "a\0"}, "purpose", "invalid_value"),
    ],
)
def test_lists_that_are_refused(http: httpx2.Client, query: dict[str, Any], param: str, code: str) -> None:
    status, _, *rest = refusal(http.get("/files", params=query))
    assert (status, rest) == (400, [param, code])


@pytest.mark.parametrize("file_id", ["fake_id", "undefined", "file-none", "asst_1", "assistant-1", "a%00b", "%20", "ä"])
def test_ids_that_are_none_of_files(http: httpx2.Client, file_id: str) -> None:
    """As recorded: a file that is not there is missing, whatever its id looks like."""
    missing = (404, f"No such File object: {unquote(file_id)}", "id", None)
    assert refusal(http.get(f"/files/{file_id}")) == missing
    assert refusal(http.delete(f"/files/{file_id}")) == missing
    assert refusal(http.get(f"/files/{file_id}/content")) == missing


def test_files_of_another_project_are_not_there(client: OpenAI, other_client: OpenAI) -> None:
    mine = upload(client)
    for call in (other_client.files.retrieve, other_client.files.content, other_client.files.delete):
        with pytest.raises(NotFoundError, match=f"No such File object: {mine}"):
            call(mine)
    assert other_client.files.list().data == []
    assert client.files.content(mine).read() == DATA


# What goes with a file, and what the sweep finds.


def test_a_deleted_file_goes_from_assistants_and_threads(
    client: OpenAI, database: psycopg.Connection, other_client: OpenAI
) -> None:
    kept, gone = upload(client), upload(client)
    assistant = client.beta.assistants.create(model="m").id
    thread = client.beta.threads.create().id
    untouched = client.beta.threads.create(tool_resources={"code_interpreter": {"file_ids": []}}).id
    foreign = other_client.beta.threads.create().id
    resources = f'{{"code_interpreter": {{"file_ids": ["{gone}", "{kept}"]}}, "file_search": {{}}}}'
    for table, row in (("assistants", assistant), ("threads", thread), ("threads", foreign)):
        database.execute(f"UPDATE {table} SET tool_resources = %s WHERE id = %s", [resources, row])

    client.files.delete(gone)
    left = {"code_interpreter": {"file_ids": [kept]}, "file_search": {}}
    for table, row in (("assistants", assistant), ("threads", thread)):
        assert database.execute(f"SELECT tool_resources FROM {table} WHERE id = %s", [row]).fetchone() == (left,)
    shown = client.beta.threads.retrieve(untouched).to_dict()["tool_resources"]
    assert shown == {"code_interpreter": {"file_ids": []}}
    found = database.execute("SELECT tool_resources::text LIKE %s FROM threads WHERE id = %s", [f"%{gone}%", foreign])
    assert found.fetchone() == (True,)


def test_an_expired_file_is_gone_at_once_and_swept_soon(
    client: OpenAI, http: httpx2.Client, locum: Locum, database: psycopg.Connection
) -> None:
    file_id, other = upload(client), upload(client)
    # The sweep passes over rows that others hold.
    with database.transaction():
        database.execute("SELECT id FROM files WHERE id = %s FOR KEY SHARE", [file_id])
        with psycopg.connect(locum.database_url, autocommit=True) as connection:
            connection.execute("UPDATE files SET expires_at = now() WHERE id = %s", [file_id])
        assert refusal(http.get(f"/files/{file_id}")) == no_such_file(file_id)
        assert refusal(http.get(f"/files/{file_id}/content")) == no_such_file(file_id)
        assert refusal(http.delete(f"/files/{file_id}")) == no_such_file(file_id)
        assert file_id not in {found.id for found in client.files.list()}
        assert file_id in stored(locum)
    wait_for(lambda: file_id not in stored(locum), "the bytes of the expired file to go")
    assert database.execute("SELECT count(*) FROM files WHERE id = %s", [file_id]).fetchone() == (0,)
    assert client.files.content(other).read() == DATA


def test_bytes_that_no_row_owns_are_removed_when_they_are_old(client: OpenAI, locum: Locum) -> None:
    """What a process leaves that dies between its writing and the commit, or between a commit and the deleting."""
    owned = upload(client)
    folder = Path(locum.environment["LOCUM_DATA_DIR"]) / "files"

    def make(kind: str, name: str, age: float) -> str:
        path = folder / kind / name[-2:] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
        return name

    old = {make("files", ids.new(ids.FILE), 3700), make("parts", ids.new(ids.UPLOAD_PART), 3700)}
    old.add(make("files", "0123456789abcdef.unfinished", 3700))
    young = {make("files", ids.new(ids.FILE), 3000), make("files", "fedcba9876543210.unfinished", 3000)}
    os.utime(stored(locum)[owned], (0, 0))
    with locum.redis() as redis:
        redis.delete(LISTED_KEY)
    wait_for(lambda: not old & set(stored(locum)), "the bytes without a row to go")
    assert young <= set(stored(locum))
    assert client.files.content(owned).read() == DATA
    for name in young:
        stored(locum)[name].unlink()
