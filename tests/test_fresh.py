"""What runs the tests as on a fresh machine finds what they leave."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import fresh

pytestmark = pytest.mark.slow

_REPOSITORY = Path(__file__).parents[1]


def run(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return run_at(_REPOSITORY, script, variables)


def run_at(where: Path, script: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.fresh", "sh", "-c", script],
        cwd=where,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_that_leaves_nothing_has_its_own_status() -> None:
    done = run('test -z "$(ls -A "$HOME" "$TMPDIR" "$XDG_CACHE_HOME" | grep -v :)" && exit 3')
    assert (done.returncode, done.stderr) == (3, "")


def test_folders_are_not_the_user_s_and_go_afterwards() -> None:
    done = run("echo $HOME $TMPDIR $XDG_CACHE_HOME $XDG_CONFIG_HOME $XDG_DATA_HOME $XDG_STATE_HOME $XDG_RUNTIME_DIR")
    folders = done.stdout.split()
    assert len(set(folders)) == 7
    assert not {Path(folder) for folder in folders} & {Path.home(), Path("/tmp")}
    assert not [folder for folder in folders if Path(folder).exists()]


@pytest.mark.parametrize("place", ["$HOME/.cache", "$TMPDIR/left", "$XDG_DATA_HOME/left"])
def test_what_is_left_is_named(place: str) -> None:
    done = run(f"touch {place}")
    assert done.returncode == 1
    assert done.stderr.startswith("NOT FRESH: ")
    assert f"{place.rpartition('/')[2]} was left." in done.stderr


def test_a_process_that_is_left_is_named_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("setsid sleep 4567 > /dev/null 2>&1 & echo $!")
    assert done.returncode == 1
    assert "(sleep 4567) runs on." in done.stderr
    assert not Path("/proc", done.stdout.strip()).exists()


def test_what_others_share_is_not_seen_where_it_can_be_closed(tmp_path: Path) -> None:
    if not fresh._can_be_alone():
        pytest.skip("only root, and only where mounts are allowed")
    done = run(f"test ! -e {tmp_path} && touch /tmp/left /dev/shm/left /var/tmp/left")
    assert done.stderr.count(" was left.") == 3
    assert not [path for path in ("/tmp/left", "/dev/shm/left", "/var/tmp/left") if Path(path).exists()]


def test_settings_are_not_found_by_luck_and_package_managers_keep_theirs(tmp_path: Path) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text("[global]\n")
    given = {"LOCUM_PORT": "1", "OPENAI_API_KEY": "sk-1", "XDG_CONFIG_HOME": str(tmp_path), "PIP_CONFIG_FILE": ""}
    done = run('echo "$LOCUM_PORT$OPENAI_API_KEY"; echo "$PIP_CONFIG_FILE"', **given)
    assert done.stdout.splitlines() == ["", str(tmp_path / "pip" / "pip.conf")]


def test_a_checkout_may_lie_in_a_temporary_folder() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "inner").mkdir()
        (Path(folder) / "inner" / "file").write_text("there")
        done = run_at(Path(folder), f"cat {folder}/inner/file", {"PYTHONPATH": str(_REPOSITORY)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "there", "")
