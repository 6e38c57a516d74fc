"""A kernel with nothing around it: started by the Python of the sandbox's environment, as `bare_kernel.py COUNT`.

Prints a list of milliseconds in JSON: from the request to the first output, COUNT times.
"""

import json
import queue
import sys
import time
from typing import Any

from jupyter_client.manager import start_new_kernel

CODE = "print(1)"
_PATIENCE = 60


def first_output(client: Any, code: str) -> float:
    """Milliseconds until the code has printed something; returns when the kernel is idle again."""
    begun = time.perf_counter()
    seen = 0.0
    request = client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=_PATIENCE)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "stream" and not seen:
            seen = (time.perf_counter() - begun) * 1000
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return seen


def main() -> None:
    """Measures, after some executions that are not counted."""
    count = int(sys.argv[1])
    manager, client = start_new_kernel(startup_timeout=_PATIENCE)
    try:
        times = [first_output(client, CODE) for _ in range(count + 10)][10:]
    except queue.Empty:
        sys.exit("the kernel does not answer")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    sys.stdout.write(json.dumps(times))


if __name__ == "__main__":
    main()
