"""Starts the help desk: `python -m examples.demo_app`. See README.md beside this file."""

import argparse
import os
import sys
import warnings
from pathlib import Path

import uvicorn
from openai import AsyncOpenAI, OpenAI, OpenAIError

from .web import create_app

_LOCUM = "http://127.0.0.1:8080/v1"


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo_app", description="A help desk on Locum.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--model", default=os.environ.get("MODEL", "gpt-4o-mini"), help="also by the variable MODEL")
    arguments = parser.parse_args()
    # OpenAI's client says of every call that OpenAI will not answer it.
    warnings.filterwarnings("ignore", "The Assistants API is deprecated|deprecated$", DeprecationWarning)
    base_url, api_key = _server()
    try:
        OpenAI(base_url=base_url, api_key=api_key, max_retries=0).models.list()
    except OpenAIError as error:
        sys.exit(f"The server at {base_url} cannot be used: {error}\n`make run` starts one.")
    app = create_app(AsyncOpenAI(base_url=base_url, api_key=api_key), arguments.model)
    uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False)


def _server() -> tuple[str, str]:
    """Base URL and key: those of the client's own variables, or of the Locum that `make run` starts here."""
    if base_url := os.environ.get("OPENAI_BASE_URL"):
        return base_url, os.environ.get("OPENAI_API_KEY", "")
    shared = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    key = Path(os.environ.get("LOCUM_DATA_DIR") or shared / "locum") / "api_key"
    if not key.exists():
        sys.exit("There is no Locum here: start it with `make run`, or set OPENAI_BASE_URL and OPENAI_API_KEY.")
    return _LOCUM, key.read_text().strip()


if __name__ == "__main__":
    main()
