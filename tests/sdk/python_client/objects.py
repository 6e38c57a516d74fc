"""Assistants, threads and messages: made, read, changed, listed page by page, deleted."""

from itertools import islice
from typing import Any

from openai import NotFoundError

from tests.sdk.python_client.bench import WEATHER, Bench, Scenario, equal, text_of


def gone(request: Any, *arguments: Any, **options: Any) -> None:
    """The request is answered with 404."""
    try:
        request(*arguments, **options)
    except NotFoundError:
        return
    raise AssertionError("what was deleted is still there")


def an_assistant_is_made_changed_and_deleted(bench: Bench) -> None:
    assistants = bench.client.beta.assistants
    made = assistants.create(
        model="gpt-4o",
        name="Ada",
        description="Counts.",
        instructions="Be exact.",
        tools=[WEATHER],
        temperature=0.5,
        metadata={"kind": "test"},
    )
    equal((made.object, made.name, made.description, made.instructions), ("assistant", "Ada", "Counts.", "Be exact."))
    equal((made.temperature, made.top_p, made.response_format, made.metadata), (0.5, 1, "auto", {"kind": "test"}))
    equal(assistants.retrieve(made.id), made)
    changed = assistants.update(made.id, metadata={"kind": "other"}, name="Bea", temperature=0)
    equal((changed.metadata, changed.name, changed.temperature), ({"kind": "other"}, "Bea", 0))
    equal(changed.instructions, "Be exact.")
    equal(assistants.retrieve(made.id), changed)
    deleted = assistants.delete(made.id)
    equal((deleted.id, deleted.deleted, deleted.object), (made.id, True, "assistant.deleted"))
    gone(assistants.retrieve, made.id)


def assistants_are_listed_page_by_page(bench: Bench) -> None:
    assistants = bench.client.beta.assistants
    made = [assistants.create(model="gpt-4o", name=f"n{number}").id for number in range(5)]
    newest_first = list(islice((one.id for one in assistants.list(limit=2)), 5))
    equal(newest_first, made[::-1])
    after_first = assistants.list(order="asc", limit=2, after=made[0])
    equal([one.id for one in after_first.data], made[1:3])
    assert after_first.has_next_page()
    equal([one.id for one in assistants.list(order="asc", after=made[0], before=made[3]).data], made[1:3])
    for one in made:
        assistants.delete(one)


def a_thread_is_made_changed_and_deleted(bench: Bench) -> None:
    threads = bench.client.beta.threads
    made = threads.create(metadata={"user": "7"}, messages=[{"role": "user", "content": "Hi", "metadata": {"n": "1"}}])
    equal((made.object, made.metadata), ("thread", {"user": "7"}))
    equal(threads.retrieve(made.id), made)
    equal(threads.update(made.id, metadata={"user": "8"}).metadata, {"user": "8"})
    equal([message.metadata for message in threads.messages.list(made.id)], [{"n": "1"}])
    deleted = threads.delete(made.id)
    equal((deleted.id, deleted.deleted, deleted.object), (made.id, True, "thread.deleted"))
    gone(threads.retrieve, made.id)
    gone(threads.messages.list, made.id)


def a_message_is_made_changed_and_deleted(bench: Bench) -> None:
    thread = bench.client.beta.threads.create()
    messages = bench.client.beta.threads.messages
    made = messages.create(thread.id, role="user", content="Hi", metadata={"a": "b"})
    equal((made.object, made.role, text_of(made), made.metadata), ("thread.message", "user", "Hi", {"a": "b"}))
    equal(messages.retrieve(made.id, thread_id=thread.id), made)
    changed = messages.update(made.id, thread_id=thread.id, metadata={"a": "c"})
    equal((changed.metadata, text_of(changed)), ({"a": "c"}, "Hi"))
    deleted = messages.delete(made.id, thread_id=thread.id)
    equal((deleted.id, deleted.deleted, deleted.object), (made.id, True, "thread.message.deleted"))
    gone(messages.retrieve, made.id, thread_id=thread.id)
    equal(messages.list(thread.id).data, [])


def a_message_has_parts_of_text_and_images(bench: Bench) -> None:
    thread = bench.client.beta.threads.create()
    url = "https://example.com/cat.png"
    content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    made = bench.client.beta.threads.messages.create(thread.id, role="user", content=content)
    text, image = made.content
    assert text.type == "text"
    assert image.type == "image_url"
    equal((text.text.value, image.image_url.url, image.image_url.detail), ("What is it?", url, "auto"))


def messages_are_listed_page_by_page(bench: Bench) -> None:
    said = [f"m{number}" for number in range(7)]
    thread = bench.client.beta.threads.create(messages=[{"role": "user", "content": text} for text in said])
    messages = bench.client.beta.threads.messages
    equal([text_of(message) for message in messages.list(thread.id, limit=3, order="asc")], said)
    equal([text_of(message) for message in messages.list(thread.id, limit=3)], said[::-1])
    pages = list(messages.list(thread.id, limit=3).iter_pages())
    equal([len(page.data) for page in pages], [3, 3, 1])


SCENARIOS: list[Scenario] = [
    an_assistant_is_made_changed_and_deleted,
    assistants_are_listed_page_by_page,
    a_thread_is_made_changed_and_deleted,
    a_message_is_made_changed_and_deleted,
    a_message_has_parts_of_text_and_images,
    messages_are_listed_page_by_page,
]
