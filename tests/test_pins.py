"""The lists of tested versions: whole, with hashes, and of one mind; what is made of them for scanners."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.pins import read_pins

_ROOT = Path(__file__).parent.parent
_ALL = _ROOT / "constraints.txt"
_SANDBOX = _ROOT / "sandbox" / "constraints.txt"
_IMAGE = _ROOT / "docker" / "requirements.txt"
_BUILD = _ROOT / "docker" / "build-requirements.txt"
_LISTS = pytest.mark.parametrize("file", [_ALL, _SANDBOX, _IMAGE, _BUILD], ids=lambda file: file.name)


@_LISTS
def test_each_is_one_version_with_hashes(file: Path) -> None:
    for pin in read_pins(file):
        assert pin.version
        assert pin.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", found) for found in pin.hashes)


@_LISTS
def test_they_name_no_place(file: Path) -> None:
    assert not re.search(r"//|--(?:extra-)?index-url|--find-links|file:", file.read_text())


@pytest.mark.parametrize("file", [_IMAGE, _BUILD], ids=lambda file: file.name)
def test_the_image_is_made_of_what_is_tested(file: Path) -> None:
    tested = {pin.name: pin for pin in read_pins(_ALL)}
    for pin in read_pins(file):
        assert pin.version == tested[pin.name].version
        assert set(pin.hashes) == set(tested[pin.name].hashes)


def _wanted(*extras: str) -> set[str]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    names: set[str] = {canonicalize_name(Requirement(entry).name) for entries in lists for entry in entries}
    return names - {"locum-server"}


def test_whatever_is_wanted_has_a_version() -> None:
    assert _wanted("embeddings", "sandbox", "embedded", "dev") <= {
        canonicalize_name(pin.name) for pin in read_pins(_ALL)
    }
    assert _wanted("embeddings", "sandbox") <= {canonicalize_name(pin.name) for pin in read_pins(_IMAGE)}
    lines = (_ROOT / "sandbox" / "requirements.txt").read_text().splitlines()
    wanted = {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    assert wanted <= {canonicalize_name(pin.name) for pin in read_pins(_SANDBOX)}


@pytest.mark.slow
@pytest.mark.parametrize("file", [_IMAGE, _SANDBOX], ids=lambda file: file.name)
def test_the_bill_of_materials_names_all(file: Path, tmp_path: Path) -> None:
    bill = tmp_path / "bill.cdx.json"
    command = [_tool("cyclonedx-py"), "requirements", "--output-reproducible", f"--output-file={bill}", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    components = json.loads(bill.read_text())["components"]
    named = {(canonicalize_name(found["name"]), found["version"]) for found in components}
    assert {(canonicalize_name(pin.name), pin.version) for pin in read_pins(file)} == named


@pytest.fixture
def advisories() -> Iterator[str]:
    """The URL of a database of vulnerabilities in which nothing but aiohttp has one."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = {"vulns": [_ADVISORY]} if asked["package"]["name"] == "aiohttp" else {}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        thread = Thread(target=server.serve_forever, name="advisories")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


_ADVISORY = {
    "id": "LOCUM-0",
    "summary": "A planted one",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "aiohttp", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}


@pytest.mark.slow
def test_a_known_vulnerability_is_found(advisories: str, tmp_path: Path) -> None:
    database = ["--vulnerability-service=osv", f"--osv-url={advisories}", f"--cache-dir={tmp_path}"]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json"]
    command = [_tool("pip-audit"), *options, *database, f"--requirement={_IMAGE}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 1, ran.stderr
    found = {entry["name"]: entry.get("vulns") for entry in json.loads(ran.stdout)["dependencies"]}
    assert [name for name, vulns in found.items() if vulns] == ["aiohttp"]
    assert len(found) > 50


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
