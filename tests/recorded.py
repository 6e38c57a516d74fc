"""What OpenAI answered and the types of its Python client do not know, so that a strict client takes it.

`instructions` of a run are null where there are none: every recorded run says so, and the client has a string there.
"""

from typing import Optional

from openai.types.beta.threads import Run


def teach_the_client() -> None:
    """Has the types of the client take it; to be called before one is used."""
    Run.model_fields["instructions"].annotation = Optional[str]  # noqa: UP045
    Run.model_rebuild(force=True)
