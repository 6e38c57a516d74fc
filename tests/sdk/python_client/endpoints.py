"""Models, chat completions and embeddings: passed through to the model server."""

import math
from typing import Any

from openai import BadRequestError

from tests.sdk.python_client.bench import WEATHER, Bench, Scenario, equal
from tests.sdk.python_client.errors import refused

MESSAGES: Any = [{"role": "user", "content": "Hello there"}]


def models_are_listed(bench: Bench) -> None:
    listed = list(bench.client.models.list())
    assert "echo" in [model.id for model in listed], listed
    equal({model.object for model in listed}, {"model"})
    equal(bench.client.models.retrieve("echo").id, "echo")


def a_chat_completion(bench: Bench) -> None:
    completions = bench.client.chat.completions
    answer = completions.create(model=bench.model({"text": ["Good ", "day!"], "usage": [4, 2]}), messages=MESSAGES)
    (choice,) = answer.choices
    equal((choice.message.content, choice.finish_reason), ("Good day!", "stop"))
    assert answer.usage is not None
    equal(answer.usage.total_tokens, 6)
    called = completions.create(
        model=bench.model({"tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]}),
        messages=MESSAGES,
        tools=[WEATHER],
    )
    calls: Any = called.choices[0].message.tool_calls
    equal([(call.function.name, call.function.arguments) for call in calls], [("get_weather", '{"city":"Oslo"}')])


def a_streamed_chat_completion(bench: Bench) -> None:
    model = bench.model({"text": ["Good ", "day!"], "usage": [4, 2], "delay": 0.01})
    with bench.client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    equal([piece for piece in pieces if piece], ["Good ", "day!"])
    assert chunks[-1].usage is not None
    equal(chunks[-1].usage.total_tokens, 6)


def a_refused_chat_completion(bench: Bench) -> None:
    error = refused(BadRequestError, bench.client.chat.completions.create, model="", messages=MESSAGES)
    equal(error.param, "model")


def texts_are_embedded(bench: Bench) -> None:
    with bench.lenient_client() as client:
        answer = client.embeddings.create(model="echo", input=["one", "two", "one"])
        plain = client.embeddings.create(model="echo", input="one", encoding_format="float").data[0].embedding
    one, two, again = (item.embedding for item in answer.data)
    equal((one == again, one == two, [item.index for item in answer.data]), (True, False, [0, 1, 2]))
    assert math.isclose(sum(x * x for x in one), 1, rel_tol=1e-4)
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(one, plain, strict=True))


SCENARIOS: list[Scenario] = [
    models_are_listed,
    a_chat_completion,
    a_streamed_chat_completion,
    a_refused_chat_completion,
    texts_are_embedded,
]
