"""The sandbox's image, built by its Dockerfile without a registry of images and without a network."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.deployment.engine import SYSTEM_PYTHON, CommandFailed, Engine
from tests.deployment.images import BASE, REPOSITORY, make_base, served

IMAGE = "locum-sandbox"


def make_image(engine: Engine) -> None:
    """Makes it, and the base that it stands on; once for an engine. Raises CommandFailed."""
    if engine.docker("images", "--quiet", IMAGE):
        return
    wheels = engine.folder / "sandbox-wheels"
    with ThreadPoolExecutor() as side_by_side:
        downloaded = side_by_side.submit(_download, wheels)
        make_base(engine)
        downloaded.result()
    context = engine.folder / IMAGE
    (context / "sandbox" / "inside").mkdir(parents=True)
    shutil.copy(REPOSITORY / "docker" / "sandbox.Dockerfile", context / "Dockerfile")
    for name in ("constraints.txt", "inside/fonts.py"):
        shutil.copy(REPOSITORY / "sandbox" / name, context / "sandbox" / name)
    with served(wheels) as url:
        engine.build(context, IMAGE, {"BASE_IMAGE": BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": url})
    shutil.rmtree(wheels)


def _download(wheels: Path) -> None:
    pins = f"--requirement={REPOSITORY}/sandbox/constraints.txt"
    pip = [sys.executable, "-m", "pip", "--python", SYSTEM_PYTHON, "download", "--quiet", "--only-binary=:all:"]
    exactly = ["--no-deps", "--require-hashes"]
    ran = subprocess.run([*pip, f"--dest={wheels}", *exactly, pins], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise CommandFailed(ran.stderr)
