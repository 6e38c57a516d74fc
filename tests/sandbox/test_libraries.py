"""The sandbox's Python environment: that it holds what the lists name, and that the document tells of it."""

import re
import subprocess
from pathlib import Path

from app.settings import SandboxSettings
from sandbox import libraries
from sandbox.environment import Environment
from sandbox.launchers.base import ENVIRONMENT
from tests.pins import read_pins

_CONSTRAINTS = Path(libraries.__file__).parent / "constraints.txt"
#: Where the name to import is not the package's.
_MODULES = {
    "beautifulsoup4": "bs4",
    "fpdf2": "fpdf",
    "noto-cjk-sans-jp-regular": "noto_cjk_sans_jp_regular",
    "manimgx-fonts": "manimgx_fonts",
    "opencv-python-headless": "cv2",
    "pillow": "PIL.Image",
    "pypdf2": "PyPDF2",
    "python-docx": "docx",
    "python-pptx": "pptx",
    "pyyaml": "yaml",
    "resvg-py": "resvg_py",
    "scikit-image": "skimage.filters",
    "scikit-learn": "sklearn.linear_model",
}


def _environment() -> Environment:
    return Environment.of(SandboxSettings())


def _at_home_in(folder: Path) -> dict[str, str]:
    """The environment of code in the sandbox, with a home of the test's."""
    return {**ENVIRONMENT, "HOME": str(folder), "MPLCONFIGDIR": str(folder / "matplotlib")}


def test_the_versions_are_the_tested_ones_and_all_are_named() -> None:
    tested = {libraries.normalised(pin.name): pin.version for pin in read_pins(_CONSTRAINTS) if pin.is_for_this_python}
    versions, fonts = libraries.installed(_environment())
    assert {name: version for name, version in versions.items() if name not in ("pip", "setuptools")} == tested
    assert {"Noto Sans CJK JP", "Noto Sans Devanagari", "Noto Sans Arabic", "Noto Emoji"} <= set(fonts)


def test_all_can_be_imported(tmp_path: Path) -> None:
    names = [name for names in libraries.subjects().values() for name in names]
    code = "\n".join(f"import {_MODULES.get(name, name)}" for name in names)
    ran = subprocess.run(
        [str(_environment().python), "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=_at_home_in(tmp_path),
    )
    assert ran.returncode == 0, ran.stderr


def test_what_all_import_takes_little_of_the_memory_that_is_limited(tmp_path: Path) -> None:
    code = "import matplotlib.pyplot, numpy, pandas, pyarrow\nprint(open('/proc/self/status').read())"
    ran = subprocess.run(
        [str(_environment().python), "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=_at_home_in(tmp_path),
    )
    (kilobytes,) = re.findall(r"VmData:\s+(\d+)", ran.stdout)
    assert int(kilobytes) < 300_000


def test_the_document_tells_what_is_there() -> None:
    text = libraries.DOCUMENT.read_text()
    assert libraries.document(text, libraries.table(_environment())) == text
