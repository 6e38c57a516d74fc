"""docs/compatibility.md says what the tests show."""

import pytest

from tests.compatibility import document


@pytest.mark.usefixtures("all_effects")
def test_the_document_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-compatibility"):
        document.PATH.write_text(document.text(), encoding="utf-8")
    assert document.PATH.read_text(encoding="utf-8") == document.text(), "make compatibility"
