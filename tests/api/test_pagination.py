"""Lists: any page of any list is a slice of it, also while things come and go."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import BadRequestError, NotFoundError, OpenAI

from app import ids
from tests.running import Locum


class Filled(NamedTuple):
    """A thread and the ids of its messages, the oldest first; those in `gone` have been deleted."""

    thread_id: str
    ids: list[str]
    gone: set[str]


@pytest.fixture(scope="module")
def filled(client: OpenAI) -> Iterator[Filled]:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"m{n}"} for n in range(8)])
    for n in range(8, 15):
        client.beta.threads.messages.create(thread.id, role="user", content=f"m{n}")
    found = [message.id for message in client.beta.threads.messages.list(thread.id, order="asc")]
    assert len(found) == 15
    gone = {found[n] for n in (0, 3, 4, 9, 14)}
    for message_id in gone:
        client.beta.threads.messages.delete(message_id, thread_id=thread.id)
    yield Filled(thread.id, found, gone)
    client.beta.threads.delete(thread.id)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 17),
    order=st.sampled_from(["asc", "desc"]),
    after=st.none() | st.integers(0, 14),
    before=st.none() | st.integers(0, 14),
)
def test_any_page_is_a_slice(
    http: httpx2.Client, filled: Filled, limit: int, order: str, after: int | None, before: int | None
) -> None:
    everything = filled.ids if order == "asc" else filled.ids[::-1]
    start = 0 if after is None else after + 1
    end = len(everything) if before is None else before
    between = [message_id for message_id in everything[start:end] if message_id not in filled.gone]
    nearest_the_end = before is not None and after is None
    expected = between[-limit:] if nearest_the_end else between[:limit]

    query: dict[str, Any] = {"limit": limit, "order": order}
    if after is not None:
        query["after"] = everything[after]
    if before is not None:
        query["before"] = everything[before]
    page = http.get(f"/threads/{filled.thread_id}/messages", params=query).json()
    assert [message["id"] for message in page["data"]] == expected
    assert page["has_more"] is (len(between) > limit)
    assert page["first_id"] == (expected[0] if expected else None)
    assert page["last_id"] == (expected[-1] if expected else None)
    assert page["object"] == "list"


def test_the_newest_come_first_twenty_at_a_time(http: httpx2.Client, client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"m{n}"} for n in range(21)])
    page = http.get(f"/threads/{thread.id}/messages").json()
    assert [message["content"][0]["text"]["value"] for message in page["data"]] == [f"m{n}" for n in range(20, 0, -1)]
    assert page["has_more"] is True


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_all_is_deleted_by_who_deletes_while_listing(locum: Locum, order: Any) -> None:
    with locum.client(locum.new_project()) as client:
        made = [client.beta.assistants.create(model="m", name=str(n)).id for n in range(7)]
        seen = []
        for assistant in client.beta.assistants.list(limit=2, order=order):
            client.beta.assistants.delete(assistant.id)
            seen.append(assistant.id)
        assert seen == (made if order == "asc" else made[::-1])
        assert client.beta.assistants.list().data == []


def test_messages_made_at_once_are_all_deleted_by_who_deletes_while_listing(client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"m{n}"} for n in range(50)])
    for message in client.beta.threads.messages.list(thread.id, limit=7):
        client.beta.threads.messages.delete(message.id, thread_id=thread.id)
    assert client.beta.threads.messages.list(thread.id).data == []


def test_what_is_new_does_not_come_twice_into_a_list_that_is_being_read(client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"m{n}"} for n in range(6)])
    seen = []
    for message in client.beta.threads.messages.list(thread.id, limit=2):
        seen.append(message.id)
        client.beta.threads.messages.create(thread.id, role="user", content="new")
    assert len(seen) == len(set(seen)) == 6


def test_a_cursor_that_never_was_an_id_of_ours_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="No assistant found with id 'asst_abc123'."):
        client.beta.assistants.list(after="asst_abc123")


@pytest.mark.parametrize("param", ["after", "before"])
@pytest.mark.parametrize("cursor", ["undefined", "thread_1", "asst_\0", "😀"])
def test_a_cursor_of_another_kind_is_refused(client: OpenAI, param: str, cursor: str) -> None:
    options: Any = {param: cursor}
    with pytest.raises(BadRequestError, match=f"Invalid '{param}'") as caught:
        client.beta.assistants.list(**options)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


def test_an_empty_cursor_is_none(client: OpenAI) -> None:
    client.beta.assistants.create(model="m")
    assert len(client.beta.assistants.list(limit=1, after="").data) == 1


def test_a_cursor_of_another_project_tells_nothing_of_it(client: OpenAI, other_client: OpenAI) -> None:
    theirs = other_client.beta.assistants.create(model="m")
    missing = ids.new(ids.ASSISTANT)
    answers = [
        [item.id for item in client.beta.assistants.list(after=cursor, order="asc").data]
        for cursor in (theirs.id, missing)
    ]
    assert answers == [[], []]


@pytest.mark.parametrize(
    ("query", "message", "code"),
    [
        (
            "limit=0",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "integer_below_min_value",
        ),
        (
            "limit=101",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
            "integer_above_max_value",
        ),
        (
            "limit=many",
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "invalid_type",
        ),
        ("order=up", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", "invalid_value"),
    ],
)
def test_bad_queries_are_refused(http: httpx2.Client, query: str, message: str, code: str) -> None:
    answer = http.get(f"/assistants?{query}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["param"], error["code"]) == (message, query.split("=", maxsplit=1)[0], code)
