"""The command line: what the operator did wrong is one line and status 1, and the small commands do what they say."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.cli import main
from app.db import migrate
from tests.embedded.launched import locum
from tests.stack import Stack


class Command:
    """The command line, in this process. `up` has one of its own once it goes so far as to set up logging."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def __call__(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        with self._patch.context() as patch:
            for name in os.environ:
                if name.startswith("LOCUM_"):
                    patch.delenv(name)
            for name, value in settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["locum", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        said = self._capture.readouterr()
        status = int(ended.value.code or 0)
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs a command in an empty folder; gives what it printed and its status."""
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys)


@pytest.fixture(scope="module")
def database_url(stack: Stack) -> Iterator[str]:
    """A database of this module's own, which is empty."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE cli")
        yield stack.database_url.replace("/locum?", "/cli?")
        connection.execute("DROP DATABASE cli WITH (FORCE)")


@pytest.fixture(scope="module")
def migrated_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, migrated by the command."""
    done = locum("migrate", cwd=tmp_path_factory.mktemp("migrate"), LOCUM_DATABASE_URL=database_url)
    assert done.stdout == f"The database is at {migrate.head()}.\n", done.stderr
    return database_url


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"LOCUM_PORT": "http"}, ["LOCUM_PORT: Input should be a valid integer"]),
        ({"LOCUM_DATABASE_URL": "mysql://u:hunter2@h/d"}, ["LOCUM_DATABASE_URL: must begin with postgresql://"]),
        ({"LOCUM_REDIS_URL": "localhost"}, ["LOCUM_REDIS_URL: must begin with redis://"]),
        ({"LOCUM_BACKEND_URL": "localhost:8000"}, ["LOCUM_BACKEND_URL: "]),
        ({"LOCUM_MODELS": "[{"}, ["LOCUM_MODELS: not JSON"]),
        ({"LOCUM_MODELS": '[{"match": "a", "tools": "some"}]'}, ["LOCUM_MODELS.0.tools: Input should be 'native'"]),
        ({"LOCUM_PORT": "x", "LOCUM_TOOLS": "y"}, ["LOCUM_PORT: ", "LOCUM_TOOLS: "]),
    ],
)
def test_a_malformed_setting_is_one_line(
    settings: dict[str, str], lines: list[str], command: Command, tmp_path: Path
) -> None:
    done = command("up", "--data-dir", str(tmp_path / "data"), **settings)
    assert done.returncode == 1
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert len(said) == len(lines), done.stderr
    for line, begin in zip(said, lines, strict=True):
        assert line.startswith(f"locum: {begin}")
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("toml", "begin"),
    [
        ("prot = 1", "locum: LOCUM_PROT: there is no such setting"),
        ("port = ", "locum: locum.toml: "),
        ("[backends.mine]\nurl = 'nowhere'", "locum: LOCUM_BACKENDS.mine.url: "),
    ],
)
def test_a_malformed_file_is_one_line(toml: str, begin: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "locum.toml").write_text(toml)
    done = command("up", "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(begin)


def test_a_file_of_settings_that_is_not_there_is_one_line(command: Command, tmp_path: Path) -> None:
    refused = command("migrate", LOCUM_CONFIG=str(tmp_path / "none.toml"))
    assert refused.returncode == 1
    assert refused.stderr == f"locum: LOCUM_CONFIG: there is no file {tmp_path / 'none.toml'}\n"


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_process_of_a_deployment_needs_its_servers_named(name: str, command: Command) -> None:
    done = command(name)
    assert (done.returncode, done.stderr) == (1, "locum: LOCUM_DATABASE_URL is not set\n")


@pytest.mark.parametrize("arguments", [["migrate"], ["keys", "list"]])
@pytest.mark.parametrize("host", ["127.0.0.1:1", ""])
def test_a_database_that_is_away_is_one_line(arguments: list[str], host: str, command: Command, tmp_path: Path) -> None:
    url = f"postgresql://locum:hunter2@{host}/locum" + ("" if host else f"?host={tmp_path}")
    done = command(*arguments, LOCUM_DATABASE_URL=url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("locum: LOCUM_DATABASE_URL: ")
    assert "hunter2" not in done.stderr


def test_up_on_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    settings = {
        "LOCUM_DATABASE_URL": "postgresql://locum:hunter2@127.0.0.1:1/locum",
        "LOCUM_DATA_DIR": str(tmp_path / "data"),
    }
    done = locum("up", "--port", "0", cwd=tmp_path, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("locum: LOCUM_DATABASE_URL: ")
    assert "hunter2" not in done.stderr


def test_a_redis_that_is_away_is_one_line(database_url: str, tmp_path: Path) -> None:
    settings = {
        "LOCUM_DATABASE_URL": database_url,
        "LOCUM_REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
        "LOCUM_DATA_DIR": str(tmp_path / "data"),
    }
    done = locum("up", "--port", "0", cwd=tmp_path, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("locum: LOCUM_REDIS_URL: ")
    assert "hunter2" not in done.stderr


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    done = locum("up", "--host", "192.0.2.1", "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("locum: cannot listen on port 8080 of 192.0.2.1: ")


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    done = locum("up", "--data-dir", str(tmp_path / "data"), "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "is damaged" in done.stderr


def test_a_data_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = locum("up", "--data-dir", str(tmp_path / "data"), "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"locum: cannot use {tmp_path / 'data'} as the data folder: ")


def test_a_key_that_is_no_secret_is_refused(stack: Stack, migrated_url: str, tmp_path: Path) -> None:
    settings = {"LOCUM_DATABASE_URL": migrated_url, "LOCUM_REDIS_URL": stack.redis_url}
    done = locum("up", "--api-key", "short", "--data-dir", str(tmp_path / "d"), "--port", "0", cwd=tmp_path, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("locum: --api-key: ")


def test_keys_are_made_listed_and_revoked(migrated_url: str, command: Command) -> None:
    def keys(*arguments: str) -> list[str]:
        done = command("keys", *arguments, LOCUM_DATABASE_URL=migrated_url)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    (key,) = keys("create", "--project", "shop", "--name", "till")
    assert key.startswith("sk-locum-")
    assert len(key) == len("sk-locum-") + 43
    with psycopg.connect(migrated_url) as connection:
        stored = connection.execute("SELECT sha256 FROM api_keys WHERE name = 'till'").fetchall()
    assert stored == [(hashlib.sha256(key.encode()).digest(),)]

    keys("create", "--project", "shop")
    keys("create", "--project", "another")
    assert len(keys("list")) == 3
    first, _second = keys("list", "--project", "shop")
    key_id, hint, *_ = first.split()
    assert hint == f"sk-locum-...{key[-4:]}"
    assert key not in "".join(keys("list"))
    assert first.endswith("shop  till  active")

    assert keys("revoke", key_id) == []
    assert keys("list", "--project", "shop")[0].endswith("shop  till  revoked")
    again = command("keys", "revoke", key_id, LOCUM_DATABASE_URL=migrated_url)
    assert (again.returncode, again.stderr) == (1, f"locum: there is no active key {key_id}\n")
    unknown = command("keys", "list", "--project", "nobody's", LOCUM_DATABASE_URL=migrated_url)
    assert (unknown.returncode, unknown.stderr) == (1, "locum: there is no project nobody's\n")


def test_doctor_names_what_is_wrong(command: Command, tmp_path: Path) -> None:
    settings = {
        "LOCUM_DATABASE_URL": "postgresql://locum:hunter2@127.0.0.1:1/locum",
        "LOCUM_REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
        "LOCUM_BACKEND_URL": "http://127.0.0.1:1/v1",
        "LOCUM_SANDBOX_URL": "http://127.0.0.1:1",
        "LOCUM_SANDBOX_TOKEN": "hunter2" * 4,
        "LOCUM_DATA_DIR": str(tmp_path),
    }
    done = command("doctor", **settings)
    assert done.returncode == 1
    state = {line[7:19].strip(): line[:5].strip() for line in done.stdout.splitlines()}
    assert state == {
        "python": "ok",
        "data folder": "ok",
        "database": "WRONG",
        "pgvector": "WRONG",
        "migrations": "WRONG",
        "row security": "WRONG",
        "redis": "WRONG",
        "worker": "WRONG",
        "ingestion": "WRONG",
        "embeddings": "WRONG",
        "sandbox": "WRONG",
        "files": "ok",
        "backend": "WRONG",
    }
    assert "hunter2" not in done.stdout + done.stderr


def test_doctor_of_nothing_says_what_is_missing(command: Command, tmp_path: Path) -> None:
    done = command("doctor", LOCUM_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1
    for name in ("LOCUM_DATABASE_URL", "LOCUM_REDIS_URL", "LOCUM_BACKEND_URL"):
        assert f"{name} is not set" in done.stdout


def test_help_names_every_command(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    for name in ("up", "api", "worker", "embeddings", "migrate", "keys", "import", "export", "prune", "doctor"):
        assert f"\n  {name} " in done.stdout
