"""Which parts of the Assistants API this version of Locum serves. What is not in the list is refused, not ignored."""

from typing import Final

from pydantic_core import PydanticCustomError

#: Tools, and kinds of content, that are served. A part of Locum that learns to serve another adds it here.
SERVED: Final = frozenset({"function", "file_search", "image_file"})


def require(feature: str, at: str) -> None:
    """Lets a validator refuse what needs `feature`; `at` is the field at fault, within what is validated."""
    if feature not in SERVED:
        raise PydanticCustomError("unserved", "unserved", {"message": refusal(feature), "at": at})


def refusal(feature: str) -> str:
    """What a client is told that asks for `feature`."""
    what = "content of type 'image_file'" if feature == "image_file" else f"the tool '{feature}'"
    return f"Locum does not serve {what} yet."
