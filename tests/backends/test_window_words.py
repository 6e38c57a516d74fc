"""What servers say when a prompt is too large: recorded words, and the window in them."""

from typing import Any

import pytest

from app.backends.failures import ServerError
from app.backends.window_words import window_told


def _error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


@pytest.mark.parametrize(
    ("body", "window", "prompt"),
    [
        pytest.param(
            _error(
                "This model's maximum context length is 4096 tokens. However, you requested 4222 tokens (1222 in the "
                "messages, 3000 in the completion). Please reduce the length of the messages or completion."
            ),
            4096,
            1222,
            id="OpenAI, vLLM",
        ),
        pytest.param(
            _error(
                "This model's maximum context length is 128000 tokens. "
                "However, your messages resulted in 204308 tokens. "
                "Please reduce the length of the messages.",
                code="context_length_exceeded",
            ),
            128_000,
            204_308,
            id="OpenAI, Azure",
        ),
        pytest.param(
            _error(
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
                code="context_length_exceeded",
            ),
            None,
            None,
            id="OpenAI's newer models",
        ),
        pytest.param(
            {
                "object": "error",
                "message": "This model's maximum context length is 32768 tokens. However, your request has 40000 input "
                "tokens. Please reduce the length of the input messages.",
                "type": "BadRequestError",
                "code": 400,
            },
            32_768,
            40_000,
            id="vLLM",
        ),
        pytest.param(
            _error(
                "'max_tokens' or 'max_completion_tokens' is too large: 8000. "
                "This model's maximum context length is 4096 "
                "tokens and your request has 500 input tokens (8000 > 4096 - 500)."
            ),
            4096,
            500,
            id="vLLM, the answer",
        ),
        pytest.param(
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size. try "
                    "increasing the context size or enable "
                    "context shift",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 14429,
                    "n_ctx": 8192,
                }
            },
            8192,
            14_429,
            id="llama.cpp",
        ),
        pytest.param(
            _error("request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it"),
            4096,
            4390,
            id="llama.cpp, in words",
        ),
        pytest.param(
            {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}},
            None,
            None,
            id="llama.cpp, LM Studio with MLX",
        ),
        pytest.param(
            _error("Requested tokens (2285) exceed context window of 2048"), 2048, 2285, id="llama-cpp-python"
        ),
        pytest.param(
            {
                "error": "Trying to keep the first 15857 tokens when context the "
                "overflows. However, the model is loaded with "
                "context length of only 4096 tokens, which is not enough."
            },
            4096,
            15_857,
            id="LM Studio",
        ),
        pytest.param(
            {
                "error": "The number of tokens to keep from the initial prompt is "
                "greater than the context length (n_keep: "
                "13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."
            },
            4096,
            13_055,
            id="LM Studio, n_keep",
        ),
        pytest.param({"error": "prompt too long; exceeded max context length by 4 tokens"}, None, None, id="Ollama"),
        pytest.param({"error": "the input length exceeds the context length"}, None, None, id="Ollama, input"),
        pytest.param(
            {
                "object": "error",
                "message": "Prompt contains 40000 tokens and 0 draft tokens, too large "
                "for model with 32768 maximum context length",
            },
            32_768,
            40_000,
            id="Mistral",
        ),
        pytest.param(
            _error("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            1_048_576,
            1_200_000,
            id="Gemini",
        ),
        pytest.param(_error("prompt is too long: 208310 tokens > 200000 maximum"), 200_000, 208_310, id="Anthropic"),
        pytest.param(
            _error(
                "This endpoint's maximum context length is 131072 tokens. "
                "However, you requested about 140000 tokens (130000 of text input, "
                "10000 in the output)."
            ),
            131_072,
            130_000,
            id="OpenRouter",
        ),
        pytest.param(
            _error("Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"),
            8192,
            9000,
            id="Kimi",
        ),
        pytest.param(
            {
                "error": "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000",
                "error_type": "validation",
            },
            4095,
            5000,
            id="TGI",
        ),
        pytest.param(
            _error("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
            4096,
            5000,
            id="SGLang",
        ),
        pytest.param(
            _error("This model's maximum prompt length is 131,072 but the request contains 140,000 tokens."),
            131_072,
            140_000,
            id="xAI",
        ),
        pytest.param(_error("<400> Range of input length should be [1, 30720]"), 30_720, None, id="Qwen"),
        pytest.param(
            _error("Please reduce the length of the messages or completion.", code="context_length_exceeded"),
            None,
            None,
            id="Groq",
        ),
    ],
)
def test_the_window_is_told(body: Any, window: int | None, prompt: int | None) -> None:
    told = window_told(ServerError.from_json(body))
    assert told is not None
    assert (told.window, told.prompt) == (window, prompt)


@pytest.mark.parametrize(
    "body",
    [
        _error(
            "Request too large for model on tokens per minute (TPM): "
            "Limit 6000, Requested 7000, reduce the length of your"
        ),
        _error("temperature must be at most 2"),
        _error("Unknown parameter: 'max_tokens'."),
        {"detail": "Not Found"},
    ],
)
def test_other_errors_tell_no_window(body: Any) -> None:
    assert window_told(ServerError.from_json(body)) is None
