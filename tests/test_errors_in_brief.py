"""What the log says of an error, also of one that says nothing."""

import pytest

from app.errors import in_brief


@pytest.mark.parametrize(
    ("error", "brief"),
    [
        (ValueError("first\nsecond"), "first"),
        (TimeoutError(), "TimeoutError"),
        (OSError("\n"), "OSError"),
        (ConnectionResetError(104, "reset"), "[Errno 104] reset"),
    ],
)
def test_in_brief(error: Exception, brief: str) -> None:
    assert in_brief(error) == brief
