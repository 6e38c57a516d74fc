"""The tools of a run, by the names that its model calls them by."""

from typing import Self, cast

from app.db.base import Json
from workers.tools.base import CallDraft, HostedTool, Tool, ToolContext
from workers.tools.code_interpreter import CodeInterpreterTool
from workers.tools.file_search import FileSearchTool
from workers.tools.function import FunctionDraft, FunctionTool
from workers.tools.material import without_forged


class Toolbox:
    """A run's tools. Made anew from the run's row for every attempt."""

    def __init__(self, tools: list[Tool]) -> None:
        self._by_name = {tool.name: tool for tool in tools}
        self._hosted = {tool.type: cast("HostedTool", tool) for tool in tools if tool.type != "function"}

    @classmethod
    def of(cls, tools: list[Json]) -> Self:
        """The tools as a run's row has them. A hosted tool gives way to a function of the same name."""
        functions: list[Tool] = [FunctionTool(tool["function"]) for tool in tools if tool["type"] == "function"]
        taken = {function.name for function in functions}
        hosted: dict[str, Tool] = {}
        for tool in tools:
            if tool["type"] == "file_search":
                hosted["file_search"] = FileSearchTool(_free("file_search", taken), tool["file_search"])
            elif tool["type"] == "code_interpreter":
                hosted["code_interpreter"] = CodeInterpreterTool(_free("code_interpreter", taken))
        return cls([*hosted.values(), *functions])

    def hosted(self, kind: str) -> HostedTool | None:
        """The hosted tool of type `kind`, if the run has it."""
        return self._hosted.get(kind)

    @property
    def searcher(self) -> FileSearchTool | None:
        """file_search, if the run has it."""
        tool = self._hosted.get("file_search")
        return tool if isinstance(tool, FileSearchTool) else None

    async def prepare(self, context: ToolContext) -> str:
        """Does what the hosted tools want done before the model is first asked; gives what it is to know of them."""
        notes = [await tool.prepare(context) for tool in self._hosted.values()]
        return "\n\n".join(note for note in notes if note)

    def definitions(self, *, but: frozenset[str] = frozenset()) -> list[Json]:
        """The tools as chat completions want them, those of the types `but` left out."""
        return [tool.definition() for tool in self._by_name.values() if tool.type not in but]

    def choice(self, choice: Json) -> Json:
        """A forced tool as chat completions want it, where hosted tools are functions too."""
        tool = self._hosted.get(choice["type"])
        return choice if tool is None else {"type": "function", "function": {"name": tool.name}}

    def draft(self, call_id: str, name: str) -> CallDraft:
        """A call that the model begins to make, by whatever name."""
        tool = self._by_name.get(name)
        return FunctionDraft(call_id, name) if tool is None else tool.draft(call_id)

    def name(self, call: Json) -> str:
        """The name that the model made a stored call by."""
        return str(call["function"]["name"]) if call["type"] == "function" else self._hosted[call["type"]].name

    def arguments(self, call: Json) -> str:
        """What the model gave to a stored call."""
        if call["type"] == "function":
            return str(call["function"]["arguments"])
        return self._hosted[call["type"]].arguments(call)

    def output(self, call: Json, number: int, first: int) -> str:
        """What the model is told of a stored call: see `Tool.output`."""
        if call["type"] == "function":
            return without_forged(str(call["function"]["output"] or ""))
        return self._hosted[call["type"]].output(call, number, first)

    def complaint(self, call: Json) -> str | None:
        """What is wrong with a call, in words for the model; None if nothing is."""
        tool = self._by_name.get(self.name(call))
        if tool is None:
            known = ", ".join(self._by_name)
            return f"There is no function {self.name(call)!r}. The functions are: {known}."
        return tool.complaint(call)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
