"""Assistants."""

from tests.compatibility.calling import Caller


async def assistants(call: Caller) -> None:
    made = await call("beta.assistants.create", model="echo", name="Ada")
    assert (made.name, made.object) == ("Ada", "assistant")
    assert await call("beta.assistants.retrieve", made.id) == made
    changed = await call("beta.assistants.update", made.id, name="Grace")
    assert (changed.id, changed.name) == (made.id, "Grace")
    assert (await call("beta.assistants.list", limit=1)).data == [changed]
    gone = await call("beta.assistants.delete", made.id)
    assert (gone.id, gone.deleted) == (made.id, True)


SCENARIOS = (assistants,)
