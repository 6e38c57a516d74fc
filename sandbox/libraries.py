"""What the sandbox's Python environment holds, told by the environment itself.

python -m sandbox.libraries         writes the table into docs/sandbox.md
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from app.settings import SandboxSettings
from sandbox.environment import REQUIREMENTS, Environment

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "sandbox.md"
_BEGIN: Final = "<!-- made by `make sandbox-libraries` -->"
_END: Final = "<!-- end -->"

#: Run by the environment's own Python.
_ASK: Final = """
import importlib.metadata, json
from pathlib import Path
from matplotlib.ft2font import FT2Font
import sys
fonts = sorted({FT2Font(path).family_name for path in Path(sys.prefix, "share/locum/fonts").iterdir()})
packages = {found.name: found.version for found in importlib.metadata.distributions()}
print(json.dumps({"packages": packages, "fonts": fonts}))
"""


def installed(environment: Environment) -> tuple[dict[str, str], list[str]]:
    """The versions of its packages by name, and the families of the fonts that come with them."""
    # matplotlib writes its cache wherever it is told to, and else into the user's home.
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [str(environment.python), "-I", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            env={"HOME": folder, "MPLCONFIGDIR": folder},
        )
    told: dict[str, Any] = json.loads(ran.stdout)
    return {normalised(name): version for name, version in told["packages"].items()}, told["fonts"]


def normalised(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def table(environment: Environment) -> str:
    """What code may import, as lines of markdown: by subject, as in requirements.txt."""
    versions, fonts = installed(environment)
    lines = [_BEGIN, "", "| for | packages |", "| --- | --- |"]
    for subject, names in subjects().items():
        lines.append(f"| {subject} | {', '.join(f'{name} {versions[normalised(name)]}' for name in names)} |")
    return "\n".join([*lines, f"| fonts | {', '.join(fonts)} |", "", _END])


def subjects() -> dict[str, list[str]]:
    """The names in requirements.txt, by the comment above them."""
    found: dict[str, list[str]] = {}
    # The first line tells of the file.
    for line in REQUIREMENTS.read_text().splitlines()[1:]:
        if line.startswith("#"):
            found[line.removeprefix("#").strip().lower()] = names = []
        elif line:
            names.append(line)
    return found


def document(text: str, made: str) -> str:
    """The text with the table in its place. Raises ValueError where it has none."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"there is no {_BEGIN} with {_END} behind it")
    return before + made + after


def main() -> None:
    """Writes the document."""
    made = table(Environment.of(SandboxSettings()))
    DOCUMENT.write_text(document(DOCUMENT.read_text(), made))
    sys.stdout.write(made + "\n")


if __name__ == "__main__":
    main()
