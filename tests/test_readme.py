"""What the README says of settings is so."""

import re
from pathlib import Path

import pytest

from app.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text()


def _shown(default: object) -> str:
    """A default as the table shows it: nothing for none."""
    if default is None:
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_the_table_has_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    # Where the settings are read from is no setting in them.
    settings = {"LOCUM_CONFIG": "`locum.toml`"}
    for name, field in Settings.model_fields.items():
        shown = _shown(field.get_default(call_default_factory=True, validated_data={}))
        settings[f"LOCUM_{name.upper()}"] = shown.replace(str(Path.home()), "~")
    rows = re.findall(r"^\| `(LOCUM_\w+)` \| (.*?) ?\| .+ \|$", README, re.MULTILINE)
    assert len(rows) == len(settings)
    assert dict(rows) == settings


def test_every_setting_named_in_the_text_is_one() -> None:
    known = {"LOCUM_CONFIG", *(f"LOCUM_{name.upper()}" for name in Settings.model_fields)}
    assert set(re.findall(r"\bLOCUM_[A-Z0-9_]+[A-Z]\b", README)) == known


def test_the_example_of_a_configuration_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOCUM_{name.upper()}", raising=False)
    (example,) = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    config = tmp_path / "locum.toml"
    config.write_text(example)
    monkeypatch.setenv("LOCUM_CONFIG", str(config))
    settings = Settings()
    assert [route.match for route in settings.models] == ["gpt-4o-mini", "o3*", "phi-*"]
    assert {route.backend for route in settings.models} == {"default", *settings.backends}
