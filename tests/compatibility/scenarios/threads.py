"""Threads and messages."""

from tests.compatibility.calling import Caller


async def threads(call: Caller) -> None:
    made = await call("beta.threads.create", metadata={"a": "b"})
    assert made.metadata == {"a": "b"}
    assert await call("beta.threads.retrieve", made.id) == made
    assert (await call("beta.threads.update", made.id, metadata={"c": "d"})).metadata == {"c": "d"}
    gone = await call("beta.threads.delete", made.id)
    assert (gone.id, gone.deleted) == (made.id, True)


async def messages(call: Caller) -> None:
    thread = await call("beta.threads.create")
    made = await call("beta.threads.messages.create", thread.id, role="user", content="Hi")
    assert made.content[0].text.value == "Hi"
    assert await call("beta.threads.messages.retrieve", made.id, thread_id=thread.id) == made
    changed = await call("beta.threads.messages.update", made.id, thread_id=thread.id, metadata={"a": "b"})
    assert changed.metadata == {"a": "b"}
    assert (await call("beta.threads.messages.list", thread.id)).data == [changed]
    gone = await call("beta.threads.messages.delete", made.id, thread_id=thread.id)
    assert (gone.id, gone.deleted) == (made.id, True)


SCENARIOS = (threads, messages)
