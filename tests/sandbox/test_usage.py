"""Counting and trimming what code has made on the disk: at any depth, however closed, and in a bounded time."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.budget import Budget, TooMuchToSee
from sandbox.tree import LONGEST_PATH, LostTheWay, walk
from sandbox.usage import Most, measured, trimmed

ALL = Most(10**12, 10**7)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder whose contents may be of any depth."""
    made = tmp_path / "data"
    made.mkdir()
    yield made
    # pytest goes down by itself, step by step.
    subprocess.run(["rm", "-rf", "--", str(made)], check=True)


def dig(root: Path, depth: int) -> int:
    """Makes folders in each other; returns the innermost, open."""
    current = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=current)
        inner = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    return current


def write(folder: int, name: str, size: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(descriptor, b"x" * size)
    os.close(descriptor)


@pytest.mark.parametrize("depth", [0, 31, 32, 33, 100, 10_000])
def test_every_depth_counts(root: Path, depth: int) -> None:
    innermost = dig(root, depth)
    write(innermost, "large", 2**20)
    os.mkdir("beside", dir_fd=innermost)
    os.close(innermost)
    write(outer := os.open(root, os.O_RDONLY), "outer", 10)
    os.close(outer)
    used = measured([root], ALL, Budget(20))
    assert used.entries == depth + 3
    assert used.bytes >= 2**20
    assert len(list(Path("/proc/self/fd").iterdir())) < 200


def test_folders_that_are_closed_to_their_owner_count(root: Path) -> None:
    (root / "closed").mkdir()
    (root / "closed" / "inner").write_bytes(b"x" * 2**20)
    (root / "closed").chmod(0)
    assert measured([root], ALL, Budget(5)).entries == 2


def test_several_folders_count_together_and_one_that_is_not_there_does_not(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "sockets"
    other.mkdir()
    for folder in (root, other):
        (folder / "a").write_bytes(b"x" * 2**20)
    used = measured([root, other, tmp_path / "none"], ALL, Budget(5))
    assert (used.entries, used.bytes >= 2**21) == (2, True)


def test_names_of_one_file_are_one_file_on_the_disk(root: Path) -> None:
    (root / "a").write_bytes(b"x" * 2**20)
    os.link(root / "a", root / "b")
    used = measured([root], ALL, Budget(5))
    assert used.entries == 2
    assert used.bytes < 1.5 * 2**20


def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"x" * 2**20)
    (root / "link").symlink_to(tmp_path / "outside")
    assert measured([root], ALL, Budget(5)).entries == 1


def test_no_more_is_counted_than_one_beyond_what_there_may_be(root: Path) -> None:
    for number in range(300):
        (root / str(number)).touch()
    assert measured([root], Most(10**9, 100), Budget(5)).entries == 101


def test_a_budget_ends_a_look(root: Path) -> None:
    for number in range(3000):
        (root / str(number)).touch()
    with pytest.raises(TooMuchToSee):
        measured([root], ALL, Budget(0.0005))


def test_a_way_back_that_leads_elsewhere_is_not_taken(root: Path) -> None:
    os.close(dig(root, 100))
    opened = os.open(root, os.O_RDONLY)
    walking = walk(opened)
    for _ in range(100):
        next(walking)
    # The folder at the depth of 50 goes up: what is above it is another now.
    deep = root.joinpath(*["d"] * 50)
    deep.rename(root / "moved")
    with pytest.raises(LostTheWay):
        list(walking)
    os.close(opened)


def test_trees_that_never_stand_still_are_too_much(root: Path) -> None:
    os.close(dig(root, 80))
    done = threading.Event()

    def move() -> None:
        here, there = root / "d" / "d", root / "moved"
        while not done.is_set():
            here.rename(there)
            there.rename(here)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(50):
            try:
                assert measured([root], ALL, Budget(5)).entries <= 200
            except TooMuchToSee:
                break
    finally:
        done.set()
        thread.join()


def test_what_is_too_deep_to_be_named_has_no_path(root: Path) -> None:
    innermost = dig(root, LONGEST_PATH // 2 + 1)
    write(innermost, "deep", 1)
    os.close(innermost)
    opened = os.open(root, os.O_RDONLY)
    found = {node.name: node.path for node in walk(opened) if not node.is_folder}
    os.close(opened)
    assert found == {"deep": None}


def test_what_was_written_last_goes(root: Path) -> None:
    (root / "first").write_bytes(b"x" * 10_000)
    innermost = dig(root, 3000)
    for number in range(50):
        write(innermost, str(number), 100_000)
    os.close(innermost)
    (root / "closed").mkdir()
    (root / "closed" / "last").write_bytes(b"x" * 10_000)
    (root / "closed").chmod(0)
    most = Most(20_000_000, 1000)
    assert trimmed(root, most) > 2000
    left = measured([root], most, Budget(5))
    assert left.entries <= 1001  # folders on the way to what stays may stay as well
    assert (root / "first").exists()
    assert not (root / "closed").exists()


def test_by_bytes_as_well(root: Path) -> None:
    for number in range(10):
        (root / str(number)).write_bytes(b"x" * 2**20)
        os.utime(root / str(number), (number, number))
    trimmed(root, Most(4 * 2**20 + 100_000, 1000))
    assert sorted(path.name for path in root.iterdir()) == ["0", "1", "2", "3"]
    shutil.rmtree(root)
    root.mkdir()
