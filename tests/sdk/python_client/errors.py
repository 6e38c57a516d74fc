"""What clients raise: the class of the status, and OpenAI's own words in it."""

from collections.abc import Callable
from typing import Any

from openai import APIStatusError, AuthenticationError, BadRequestError, NotFoundError, OpenAI

from tests.sdk.python_client.bench import Bench, Scenario, equal


def refused(kind: type[APIStatusError], request: Callable[..., Any], *arguments: Any, **options: Any) -> APIStatusError:
    """The error that the request is answered with, in whole."""
    try:
        request(*arguments, **options)
    except kind as error:
        caught = error
    else:
        raise AssertionError(f"{kind.__name__} was expected")
    body: Any = caught.body
    equal(sorted(body), ["code", "message", "param", "type"])
    assert caught.request_id, "no x-request-id"
    return caught


def message(error: APIStatusError) -> str:
    """The server's words, without what the client puts around them."""
    body: Any = error.body
    return str(body["message"])


def a_wrong_key_is_no_authentication(bench: Bench) -> None:
    with OpenAI(base_url=bench.base_url, api_key="sk-wrong", max_retries=0) as stranger:
        error = refused(AuthenticationError, stranger.beta.assistants.list)
        equal(error.code, "invalid_api_key")
        assert message(error).startswith("Incorrect API key provided: sk"), message(error)
        refused(AuthenticationError, stranger.models.list)


def what_is_not_there_is_not_found(bench: Bench) -> None:
    beta = bench.client.beta
    missing = "thread_" + "a" * 24
    error = refused(NotFoundError, beta.threads.retrieve, missing)
    equal(message(error), f"No thread found with id '{missing}'.")
    error = refused(NotFoundError, beta.assistants.retrieve, "asst_" + "a" * 24)
    equal(message(error), f"No assistant found with id 'asst_{'a' * 24}'.")
    error = refused(NotFoundError, bench.client.models.retrieve, "no-such-model")
    equal((error.code, message(error)), ("model_not_found", "The model 'no-such-model' does not exist"))


def what_is_wrong_is_a_bad_request(bench: Bench) -> None:
    beta = bench.client.beta
    error = refused(BadRequestError, beta.threads.create, metadata={"modified": True})
    equal(error.param, "metadata.modified")
    expected = "Invalid type for 'metadata.modified': expected a string, but got a boolean instead."
    equal(message(error), expected)
    error = refused(BadRequestError, beta.assistants.create, model="m", extra_body={"instruction": "x"})
    equal((error.code, error.param), ("unknown_parameter", "instruction"))
    equal(message(error), "Unknown parameter: 'instruction'. Did you mean 'instructions'?")
    error = refused(BadRequestError, beta.threads.retrieve, "thred_1")
    equal(error.code, "invalid_value")
    assert "Expected an ID that begins with 'thread'" in message(error), message(error)
    refused(BadRequestError, beta.assistants.list, limit=101)


def errors_before_a_stream_are_errors_too(bench: Bench) -> None:
    assistant_id, thread_id = bench.ready("gpt-4o")
    create = bench.client.beta.threads.runs.create
    refused(NotFoundError, create, thread_id, assistant_id="asst_" + "a" * 24, stream=True)
    error = refused(BadRequestError, create, thread_id, assistant_id=assistant_id, temperature=3, stream=True)
    equal(error.param, "temperature")


SCENARIOS: list[Scenario] = [
    a_wrong_key_is_no_authentication,
    what_is_not_there_is_not_found,
    what_is_wrong_is_a_bad_request,
    errors_before_a_stream_are_errors_too,
]
