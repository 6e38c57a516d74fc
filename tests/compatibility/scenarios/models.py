"""Models, and what is passed through to the model servers."""

from typing import Any

from pydantic import BaseModel

from tests.compatibility.calling import Caller
from tests.fakes.turns import Turn

_HELLO: Any = [{"role": "user", "content": "Hi"}]


class Number(BaseModel):
    number: int


async def models(call: Caller) -> None:
    assert "echo" in {model.id for model in (await call("models.list", lenient=True)).data}
    assert (await call("models.retrieve", "echo")).id == "echo"
    await call.refused("models.delete", "echo")


async def completions(call: Caller) -> None:
    model = call.model(Turn(text="Hello."), Turn(text='{"number": 42}'), Turn(text=["Hel", "lo."]))
    made = await call("chat.completions.create", model=model, messages=_HELLO)
    assert made.choices[0].message.content == "Hello."
    parsed = await call("chat.completions.parse", model=model, messages=_HELLO, response_format=Number)
    assert parsed.choices[0].message.parsed == Number(number=42)
    events = await call.events("chat.completions.stream", model=model, messages=_HELLO)
    assert [event.content for event in events if event.type == "content.done"] == ["Hello."]


async def stored_completions(call: Caller) -> None:
    await call.refused("chat.completions.list")
    await call.refused("chat.completions.retrieve", "chatcmpl-1")
    await call.refused("chat.completions.update", "chatcmpl-1", metadata={"a": "b"})
    await call.refused("chat.completions.delete", "chatcmpl-1")
    await call.refused("chat.completions.messages.list", "chatcmpl-1")


async def embeddings(call: Caller) -> None:
    """By the lenient client: the strict one validates vectors before it has decoded them."""
    made = await call("embeddings.create", model="embedder", input=["a", "b"], lenient=True)
    assert [len(one.embedding) for one in made.data] == [len(made.data[0].embedding)] * 2


SCENARIOS = (models, completions, stored_completions, embeddings)
