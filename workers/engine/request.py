"""The request of one model call: a run's settings and what is left of its budgets, for the model it is routed to."""

from dataclasses import replace
from typing import Any

from app import tokens
from app.backends.base import BackendFailure, CompletionRequest, Model, Usage, sampling_of
from app.backends.parameters import WindowExceeded
from app.db.base import Json
from app.models import Run
from app.text import to_json
from workers.engine import context
from workers.engine.context import StoredMessage
from workers.engine.history import Past, Spent
from workers.tools.toolbox import Toolbox

#: What is told of what was found for a model that could not ask for it.
_FOUND = (
    "These passages of the user's files may help with the answer. Right after every statement that rests on a passage, "
    "repeat its marker exactly as it is given.\n\n"
)


class BudgetSpent(Exception):
    """The run has used up `max_prompt_tokens` or `max_completion_tokens`; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def prompt_budget(run: Run, model: Model, spent: Spent) -> int:
    """How many tokens the next prompt may have: what the window holds besides an answer, within the run's budget.

    Raises BudgetSpent.
    """
    completion_left = _left(run.max_completion_tokens, spent.completion_tokens, "max_completion_tokens")
    prompt_left = _left(run.max_prompt_tokens, spent.prompt_tokens, "max_prompt_tokens")
    quarter = model.context_window // 4
    budget = model.context_window - (quarter if completion_left is None else min(completion_left, quarter * 2))
    return budget if prompt_left is None else min(budget, prompt_left)


def _left(limit: int | None, used: int, reason: str) -> int | None:
    if limit is None:
        return None
    if used >= limit:
        raise BudgetSpent(reason)
    return limit - used


def require_shorter(asked: CompletionRequest, before: CompletionRequest | None, exceeded: WindowExceeded) -> None:
    """Raises BackendFailure if a request that was too large is no shorter than the one refused before it.

    Then all that can be cut has been: the instructions, the last message and the run's own turns are too large alone.
    """
    if before is not None and _size(asked) >= _size(before):
        raise BackendFailure(
            "invalid_prompt",
            "The instructions, the last message and what the run has done do not fit the model's context window, and "
            f"cannot be cut. {exceeded.message}",
        )


def _size(asked: CompletionRequest) -> int:
    return len(to_json(asked.messages))


def searches_first(model: Model) -> bool:
    """Whether files are searched for the model, which is not to be trusted with asking for it."""
    return model.tools != "native"


def build(
    run: Run, model: Model, toolbox: Toolbox, messages: list[StoredMessage], past: Past, notes: str
) -> CompletionRequest:
    """The next model call of `run`, which has its `past` behind it. `notes` are of its tools. Raises BudgetSpent.

    A forced `tool_choice` holds for the first call alone, or the run would never end (contract, section 6).
    """
    conversation = context.Conversation(run.instructions, messages, past.turns)
    spent = past.spent
    tools = _tools(toolbox, model)
    response_format, hint = _response_format(run.response_format, model)
    instructions = [run.instructions, notes, None if past.found is None else _FOUND + past.found, hint]
    conversation = replace(conversation, instructions="\n\n".join(part for part in instructions if part) or None)
    budget = prompt_budget(run, model, spent) - sum(tokens.at_most(str(tool)) for tool in tools) // 4
    try:
        told = context.build(conversation, budget=budget, vision=model.vision)
    except context.DoesNotFit:
        if run.max_prompt_tokens is not None:
            raise BudgetSpent("max_prompt_tokens") from None
        # The window is an estimate: let the backend say whether the least there is to tell is too much.
        told = context.least(conversation, vision=model.vision)
    return CompletionRequest(
        messages=told,
        tools=tools,
        tool_choice=_tool_choice(run.tool_choice, toolbox, has_called=past.has_called) if tools else None,
        parallel_tool_calls=False if tools and not run.parallel_tool_calls else None,
        response_format=response_format,
        max_completion_tokens=_left(run.max_completion_tokens, spent.completion_tokens, "max_completion_tokens"),
        **sampling_of(run),
    )


def _tools(toolbox: Toolbox, model: Model) -> list[Json]:
    if model.tools == "none":
        return []
    return toolbox.definitions(but=frozenset({"file_search"}) if searches_first(model) else frozenset())


def _tool_choice(
    choice: str | dict[str, Any] | None, toolbox: Toolbox, *, has_called: bool
) -> str | dict[str, Any] | None:
    if choice is None or choice == "auto" or (has_called and choice != "none"):
        return None
    return choice if isinstance(choice, str) else toolbox.choice(choice)


def _response_format(wanted: str | dict[str, Any] | None, model: Model) -> tuple[Json | None, str | None]:
    """The response format to ask for, and what to tell the model where its backend cannot hold it to a schema."""
    if wanted is None or isinstance(wanted, str) or wanted["type"] == "text":
        return None, None
    if wanted["type"] == "json_schema" and not model.json_schema:
        schema = wanted["json_schema"].get("schema", {})
        return {"type": "json_object"}, f"Answer with a JSON object of this JSON schema: {schema}"
    return wanted, None


def estimated_usage(request: CompletionRequest, written: str) -> Usage:
    """The usage of a call whose backend did not tell it."""
    prompt = sum(tokens.count(str(message.get("content") or "")) for message in request.messages)
    return Usage(prompt, tokens.count(written))


def stored_usage(usage: Usage) -> Json:
    """Usage as the API shows it; `prompt_token_details` is spelled so on the wire (contract, section 5)."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_token_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
