"""The lists of tested versions, as pip reads them."""

from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement


@dataclass(frozen=True)
class Pin:
    """One version of one package, for those whom its marker names, and the hashes of its files."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the list spells it."""
        return self.requirement.name

    @property
    def version(self) -> str:
        """The one that is wanted. Raises AssertionError where the list leaves a choice."""
        (wanted,) = self.requirement.specifier
        assert wanted.operator == "=="
        return wanted.version

    @property
    def is_for_this_python(self) -> bool:
        """Whether it is installed here."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def read_pins(file: Path) -> list[Pin]:
    """Returns what a list of requirements with hashes names. Raises ValueError where a line is something else."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    pins = []
    for entry in "\n".join(lines).replace("\\\n", " ").splitlines():
        requirement, *hashes = entry.split(" --hash=")
        pins.append(Pin(Requirement(requirement), tuple(found.strip() for found in hashes)))
    return pins
