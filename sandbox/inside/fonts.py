"""Makes fonts of the environment's packages known in it. Run by its own Python, once, as it is made.

Links them into `share/locum/fonts` of the environment, for whoever wants a file, and into Matplotlib's own folder,
where it finds them wherever the environment is mounted; then makes Matplotlib's list of fonts, since looking at each
takes seconds.
"""

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = ("manimgx_fonts", "noto_cjk_sans_jp_regular")
_ENDINGS = {".otf", ".ttc", ".ttf"}


def main() -> None:
    """Does all of it. Raises OSError where the environment cannot be written."""
    shared = Path(sys.prefix, "share", "locum")
    folder = shared / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MPLCONFIGDIR"] = cache
        import matplotlib as mpl  # noqa: PLC0415 - reads the variable

        for font in _fonts():
            for target in (folder, Path(mpl.get_data_path(), "fonts", "ttf")):
                _link(font, target / font.name)
        importlib.import_module("matplotlib.font_manager")

        for made in Path(cache).glob("fontlist-*.json"):
            shutil.copyfile(made, shared / made.name)


def _fonts() -> Iterator[Path]:
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield from (path for path in sorted(Path(folder).iterdir()) if path.suffix in _ENDINGS)


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        # Not on every file system.
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
