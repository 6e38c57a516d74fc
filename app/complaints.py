"""What the operator is told of an error that they can put right."""

import re
import tomllib

from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import DBAPIError

from app.db.migrate import MigrationError
from app.embedded.errors import CannotStart, reason
from app.settings import MissingSetting


def lines_of(error: Exception) -> list[str]:
    """The lines to be told, as a rule one; none if the error is Locum's own fault."""
    match error:
        case ValidationError():
            return _wrong_settings(error)
        case SettingsError():
            return [_unreadable_setting(error)]
        case tomllib.TOMLDecodeError():
            return [f"locum.toml: {error}"]
        case DBAPIError():
            return [f"LOCUM_DATABASE_URL: {reason(error)}"]
        case OSError() | CannotStart() | MissingSetting() | MigrationError():
            return [str(error)]
    return []


def _wrong_settings(error: ValidationError) -> list[str]:
    """One line for each setting that is wrong, without its value, which may be a secret."""
    lines = []
    for one in error.errors(include_input=False, include_url=False):
        name, *rest = map(str, one["loc"])
        what = "there is no such setting" if one["type"] == "extra_forbidden" else one["msg"]
        path = ".".join([f"LOCUM_{name.upper()}", *rest])
        lines.append(f"{path}: {what.removeprefix('Value error, ')}")
    return lines


def _unreadable_setting(error: SettingsError) -> str:
    """The line for a variable that should hold JSON; the error names it in quotes."""
    name = re.search(r'"(\w+)"', str(error))
    return f"LOCUM_{name[1].upper()}: not JSON ({error.__cause__})" if name else str(error)
