"""The tool calls of one completion, put together from the pieces that a server sends.

By the standard a piece has the `index` of its call, and the first one its id and name. Servers differ, and neither
index nor id alone tells calls apart: both may be missing, the same for all calls, or new in every piece. What a whole
JSON object is decides too: a call whose arguments are one has had all of them, so what follows is another call, or the
same call sent once more. The rules, in the order in which they are asked:

- A piece belongs to the call with its id at its index, then with its id, then at its index, then to the last call.
- A name that is another than the call's begins another call, and so does another id that comes with a name (unless the
  piece goes on with an object that is not closed: some servers make an id for every piece).
- More arguments behind a whole object are another call of that name, or nothing if they say the same again. `{}` may
  be there before the real arguments, which then take its place.
- A piece that begins with all that has come so far, where an object could not go on so, is the call's text so far.

What was told of a call cannot be taken back. Told at once is what no later piece can change: the name, if the request
has a tool of that name, and the arguments of an object that is begun. What must wait: `{}`, a call that may be one
sent again (until its object is whole), a name that nothing is known by (until the arguments begin or all is there),
calls that wrap others.
"""

from collections.abc import Collection
from typing import Any

from app.backends.base import Delta, ToolCallDelta
from app.backends.call_draft import CallDraft, begins, final, says_same
from app.backends.call_pieces import Piece
from app.backends.tool_names import is_parallel, understood, unwrapped


class NamelessCall(Exception):
    """A call that has arguments and never got its name."""


class CallAssembler:
    """Takes the pieces in their order, and writes deltas into the lists it is given. `known`: the request's tools."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self._known = known
        self._calls: list[CallDraft] = []
        self._count = 0

    @property
    def count(self) -> int:
        """How many calls were told."""
        return self._count

    def returned(self) -> dict[int, dict[str, Any]]:
        """What the server is to be given back with each call, by its number: its own `id`, and fields of its own.

        Of calls that were given one id, the first has it.
        """
        seen: set[str | None] = {None}
        returned = {}
        for call in self._calls:
            own = {} if call.id in seen else {"id": call.id}
            seen.add(call.id)
            if call.number is not None and (kept := own | call.extras):
                returned[call.number] = kept
        return returned

    def add(self, piece: Piece, into: list[Delta]) -> None:
        """Takes a piece."""
        if not piece.says_something:
            return
        call = self._call_of(piece)
        self._give(call, piece)
        self._tell(into, at_end=False)

    def add_whole(self, pieces: list[Piece], into: list[Delta]) -> None:
        """Takes all calls at once, as a server says them at the end; it may have sent them in pieces before."""
        before = [call for call in self._calls if not call.is_dropped]
        for piece in pieces:
            same = self._same(before, piece)
            if same is None:
                self.add(piece, into)
                continue
            before.remove(same)
            if same.is_complete or says_same(same.arguments, piece.arguments):
                self._know(same, piece)
            else:
                self._give(same, piece)
        self._tell(into, at_end=False)

    def end(self, into: list[Delta]) -> None:
        """Tells what is left. Raises NamelessCall."""
        for call in self._calls:
            call.take(call.joiner.end())
        self._tell(into, at_end=True)

    def _same(self, calls: list[CallDraft], piece: Piece) -> CallDraft | None:
        """The one among `calls` that a piece with a whole call says once more."""
        named = [call for call in calls if self._means(call.name) == self._means(piece.name or "")]
        by_id = (call for call in named if piece.id is not None and call.id == piece.id)
        by_text = (call for call in named if says_same(call.arguments, piece.arguments))
        in_part = (call for call in named if call.progress.state == "open" and begins(piece.arguments, call.arguments))
        return next(by_id, None) or next(by_text, None) or next(in_part, None)

    def _means(self, name: str) -> str:
        return understood(name, self._known)

    def _call_of(self, piece: Piece) -> CallDraft:
        """The call that a piece belongs to, which may be a new one."""
        call = self._candidate(piece)
        if call is not None and not self._begins_another(call, piece):
            return call
        before = call or (self._calls[-1] if self._calls else None)
        return self._begin(piece, None if before is None or self._is_told_apart(piece, before) else before)

    def _is_told_apart(self, piece: Piece, before: CallDraft) -> bool:
        """Whether a piece has an index that no call has had, or such an id (but some make an id for every piece)."""
        has_place = piece.place is not None and all(call.place != piece.place for call in self._calls)
        has_id = piece.id is not None and (piece.name is not None or before.is_id_repeated)
        return has_place or (has_id and all(call.id != piece.id for call in self._calls))

    def _candidate(self, piece: Piece) -> CallDraft | None:
        latest = [call for call in reversed(self._calls) if not call.is_dropped]
        here = [call for call in latest if piece.place is not None and call.place == piece.place]
        if piece.id is not None:
            with_id = [call for call in latest if call.id == piece.id]
            if found := [call for call in here if call.id == piece.id]:
                return _named_by(piece, found)
            if with_id and (piece.place is None or with_id[0].place is None):
                return _named_by(piece, with_id)
        if here:
            return _named_by(piece, here)
        if not latest:
            return None
        if piece.place is None and piece.id is None:
            return latest[0]
        # A new id without a name is that of a call whose name is to come, or of this one piece.
        waits = not (latest[0].is_complete or latest[0].is_id_repeated)
        return latest[0] if piece.place is None and piece.name is None and waits else None

    def _begins_another(self, call: CallDraft, piece: Piece) -> bool:
        is_other_id = piece.id is not None and call.id is not None and piece.id != call.id
        if not call.name:
            is_next = is_other_id or (call.is_doubtful and piece.name is not None)
            return is_next and (call.is_complete or call.is_garbage)
        if piece.name and self._means(piece.name) != self._means(call.name):
            return self._longer_name(call, piece.name) is None
        if is_other_id and call.is_id_repeated:
            return True
        if piece.name and is_other_id:
            return piece.arguments.lstrip().startswith("{") or not call.goes_on_with(piece.arguments)
        return call.is_complete and bool(piece.arguments.strip())

    def _longer_name(self, call: CallDraft, name: str) -> str | None:
        """The name of a call that has come in part, with `name` as the rest of it, or as all of it."""
        if call.number is not None or call.arguments or self._means(call.name) in self._known:
            return None
        if any(tool.startswith(call.name + name) for tool in self._known):
            return call.name + name
        return name if name.startswith(call.name) and self._means(name) in self._known else None

    def _begin(self, piece: Piece, after: CallDraft | None) -> CallDraft:
        """Begins a call; a doubtful one if only its text tells it from `after`, which it may repeat."""
        call = CallDraft(piece.place, None, piece.name or "", after)
        self._calls.append(call)
        return call

    def _know(self, call: CallDraft, piece: Piece) -> None:
        known = call.id or (call.after.id if call.after is not None else None)
        call.is_id_repeated |= piece.id is not None and known == piece.id
        call.id = call.id or piece.id
        call.extras |= piece.extras
        if piece.name and not call.name:
            call.name = piece.name

    def _give(self, call: CallDraft, piece: Piece) -> None:
        if piece.name and call.name and piece.name != call.name:
            call.name = self._longer_name(call, piece.name) or call.name
        self._know(call, piece)
        rest = call.take(call.joiner.feed(piece.arguments))
        while rest.strip():
            before, call = call, self._begin(Piece(place=call.place), call)
            call.id, call.is_id_repeated = before.id, before.is_id_repeated
            rest = call.take(rest)
            if call.progress.state == "broken":
                return

    def _tell(self, into: list[Delta], *, at_end: bool) -> None:
        for position, call in enumerate(self._calls):
            if call.is_dropped or call.is_unwrapped:
                continue
            if call.is_doubtful:
                self._decide(call, self._calls[:position], at_end=at_end)
                if call.is_dropped:
                    continue
            if call.number is None and not self._may_tell(call, at_end=at_end):
                if call.is_dropped:
                    continue
                return  # calls are told in their order
            if is_parallel(call.name, self._known) and (wrapped := unwrapped(call.arguments)):
                self._tell_wrapped(call, wrapped, into)
            else:
                self._tell_of(call, into, at_end=at_end)

    def _decide(self, call: CallDraft, before: list[CallDraft], *, at_end: bool) -> None:
        """Whether a doubtful call is one of those before, sent again: known when it has come to its end."""
        if not at_end and (call.progress.state != "whole" or not call.presumed_name):
            return
        name = self._means(call.presumed_name)
        others = [other for other in before if not other.is_dropped and self._means(other.name) == name]
        is_again = any(says_same(other.arguments, call.arguments) for other in others)
        is_cut = any(begins(other.arguments, call.arguments) for other in others)
        if is_again or (call.progress.state != "whole" and (is_cut or not call.name)):
            call.is_dropped = True
        call.name = call.presumed_name
        call.is_decided = True

    def _may_tell(self, call: CallDraft, *, at_end: bool) -> bool:
        if at_end and not call.name:
            if call.arguments:
                raise NamelessCall
            call.is_dropped = True
            return False
        if call.is_doubtful or not call.name:
            return False
        if is_parallel(call.name, self._known):
            return at_end or call.progress.state == "whole"
        is_final = not self._known or self._means(call.name) in self._known
        return at_end or is_final or call.progress.state != "blank"

    def _tell_of(self, call: CallDraft, into: list[Delta], *, at_end: bool) -> None:
        text = final(call.arguments) if at_end else call.said_so_far()
        news = text[call.told :]
        if call.number is None:
            call.number = self._next()
            into.append(ToolCallDelta(call.number, self._means(call.name), news))
        elif news:
            into.append(ToolCallDelta(call.number, None, news))
        call.told = max(call.told, len(text))

    def _tell_wrapped(self, call: CallDraft, wrapped: list[tuple[str, str]], into: list[Delta]) -> None:
        for name, arguments in wrapped:
            into.append(ToolCallDelta(self._next(), self._means(name), arguments))
        call.is_unwrapped = True

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def _named_by(piece: Piece, calls: list[CallDraft]) -> CallDraft:
    """The latest of `calls`, or the earliest that waits for its name, where a piece brings nothing else."""
    nameless = [call for call in calls if not call.name and not call.is_doubtful]
    return nameless[-1] if nameless and piece.name is not None and not piece.arguments else calls[0]
