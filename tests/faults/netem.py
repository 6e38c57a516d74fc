"""A network of this process's own, whose packets the kernel delays and loses: Linux's netem, where there is one."""

import os
import subprocess
import sys
from typing import Final

#: Set in the process that has entered its network.
_ENTERED: Final = "LOCUM_FAULTS_NETWORK"


def enter(options: str) -> str | None:
    """Starts this program again in a network where `options` of netem hold, for example `delay 20ms 20ms loss 1%`.

    Returns there, with None. Where that cannot be done it returns why.
    """
    if _ENTERED not in os.environ:
        if os.geteuid() != 0:
            return "only root makes a network"
        os.environ[_ENTERED] = "1"
        os.execvp("unshare", ["unshare", "--net", "--", *sys.orig_argv])
    for command in (["ip", "link", "set", "lo", "up"], ["tc", "qdisc", "add", "dev", "lo", "root", "netem"]):
        given = [*command, *options.split()] if "netem" in command else command
        done = subprocess.run(given, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(given)}: {done.stderr.strip()}"
    return None
