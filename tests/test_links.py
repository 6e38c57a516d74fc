"""Relative links of the documentation lead somewhere: to a file that is there, and to a heading that it has."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^([a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def pages() -> list[Path]:
    """The Markdown files that git knows, or would take in."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


def prose(text: str) -> str:
    return FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found


def dead_links(page: Path) -> list[str]:
    dead = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page.read_text()))):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        missing = not target.exists()
        if missing or (anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())):
            dead.append(link)
    return dead


def test_links_lead_somewhere() -> None:
    found = {str(page.relative_to(ROOT)): dead for page in pages() if (dead := dead_links(page))}
    assert not found


@pytest.mark.parametrize("link", ["missing.md", "#no-such-heading", "page.md#no-such-heading"])
def test_a_dead_link_is_found(tmp_path: Path, link: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A `page`, by hand\n\n[good](#a-page-by-hand) [bad]({link})\n\n```\n[shown](only.md)\n```\n")
    assert dead_links(page) == [link]


NAMED = re.compile(r"`((?:app|benchmarks|docker|examples|migrations|sandbox|scripts|tests|workers)/[^`\s:]*)")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_are_named_are_there(page: Path) -> None:
    names = NAMED.findall(page.read_text())
    assert [name for name in names if not list(ROOT.glob(name.rstrip("/")))] == []
