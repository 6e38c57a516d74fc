"""How processes share the tests: by files, and all that may need a Docker engine goes to one of them."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

#: There is one engine, and it takes minutes to build its images.
_ON_DOCKER: Final = ("tests/deployment/", "tests/sandbox/")


class ByFile(LoadScopeScheduling):
    """Gives a process whole files, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return "docker" if nodeid.startswith(_ON_DOCKER) else nodeid.partition("::")[0]
