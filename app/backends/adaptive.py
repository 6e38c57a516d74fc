"""A model that is asked to call functions by itself until its server says that it cannot."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.backends.base import CompletionRequest, Delta
from app.backends.emulated import EmulatedBackend
from app.backends.openai import OpenAIBackend
from app.backends.parameters import ToolsRefused, Window


class AdaptiveBackend:
    """`native`, and from its first refusal of tools on the emulation of them."""

    def __init__(self, native: OpenAIBackend) -> None:
        self._native = native
        self._emulated = EmulatedBackend(native)
        #: Whether the server has said that the model calls no functions.
        self.lacks_tools = False

    @property
    def window(self) -> Window | None:
        """The context window, if the server has told it by a refusal."""
        return self._native.window

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        """Streams one completion, as `CompletionBackend` says."""
        if not self.lacks_tools:
            try:
                async with aclosing(self._native.stream(request)) as batches:
                    async for batch in batches:
                        yield batch
            except ToolsRefused as refused:
                self.lacks_tools = True
                self._native.note("it calls no functions by itself: they are emulated", refused.message)
            else:
                return
        async with aclosing(self._emulated.stream(request)) as batches:
            async for batch in batches:
                yield batch
