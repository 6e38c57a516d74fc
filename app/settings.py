"""Every setting of Locum, read in this one place: `LOCUM_...` variables over `locum.toml` over the defaults here.

`locum.toml` is looked for in the current folder, or where `LOCUM_CONFIG` says. Nested settings (`backends`, `models`)
read best there; as variables they are JSON (`LOCUM_MODELS='[{"match": "gpt-4*", "model": "qwen3"}]'`).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, TypeAdapter, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

#: How a backend is made to call tools: by its own API, by constrained JSON, or not at all.
ToolMode = Literal["native", "emulated", "none"]

#: The name of the backend that LOCUM_BACKEND_URL and LOCUM_BACKEND_API_KEY describe.
DEFAULT_BACKEND = "default"

_URL = TypeAdapter(HttpUrl)


def _data_dir() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "locum"


def _base_url(value: str) -> str:
    """An OpenAI base URL (`http://host:port/v1`), checked, without its last slash."""
    _URL.validate_python(value)
    return value.rstrip("/")


class BackendSettings(BaseModel):
    """A model server: its OpenAI base URL (with its `/v1`), and the key it wants."""

    model_config = ConfigDict(extra="forbid")

    url: str
    api_key: SecretStr | None = None

    _check_url = field_validator("url")(_base_url)


class ModelRoute(BaseModel):
    """Where the requests for a model go. The first route whose `match` fits the requested name is taken."""

    model_config = ConfigDict(extra="forbid")

    match: str = Field(min_length=1, description="a model name, or a glob such as gpt-4*")
    backend: str = DEFAULT_BACKEND
    model: str | None = Field(None, description="the name to ask the backend for; the requested one if absent")
    context_window: int | None = Field(None, ge=256, description="tokens; LOCUM_CONTEXT_WINDOW if absent")
    tools: ToolMode | None = Field(None, description="LOCUM_TOOLS if absent")
    vision: bool = True
    json_schema: bool = True


def secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, str) and "://" in value:
        password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (password, unquote(password))


class SandboxSettings(BaseSettings):
    """All that the sandbox host knows: of Locum's other settings, and the secrets among them, it reads none."""

    model_config = SettingsConfigDict(env_prefix="LOCUM_", extra="ignore", validate_default=True)

    data_dir: Path = Field(default_factory=_data_dir, description="where `locum up` keeps everything")

    # The sandbox host.
    sandbox_token: SecretStr | None = Field(None, description="the bearer token that workers show it")
    sandbox_host: str = "127.0.0.1"
    sandbox_port: int = Field(8070, ge=1, le=65535)
    sandbox_launcher: Literal["bubblewrap", "docker"] = "bubblewrap"
    sandbox_dir: Path | None = Field(None, description="of the sessions; the folder `sandbox` of data_dir if absent")
    sandbox_environment: Path | None = Field(None, description="made by `locum sandbox-setup`; beside Locum if absent")
    sandbox_docker_host: str = Field("unix:///var/run/docker.sock", description="the engine of the launcher docker")
    sandbox_image: str = Field("locum-sandbox", description="of the launcher docker")
    sandbox_runtime: str | None = Field(None, description="of the launcher docker: runsc for gVisor")
    sandbox_warm: int = Field(3, ge=0, description="kernels kept ready; more while more are asked for; 0: none")
    sandbox_max_sessions: int = Field(32, ge=1, description="beyond them the longest idle one ends")
    sandbox_idle_seconds: float = Field(3600, gt=0, description="after which a session ends")
    sandbox_execution_seconds: float = Field(120, gt=0, description="of one execution; then it is interrupted")
    sandbox_grace_seconds: float = Field(3, gt=0, description="for interrupted code to end, or its kernel is killed")
    sandbox_start_seconds: float = Field(60, gt=0, description="for a kernel to come up")
    sandbox_memory_bytes: int = Field(2**30, ge=2**28, description="of one session")
    sandbox_processes: int = Field(96, ge=16, description="and threads, of one session")
    sandbox_cpu_seconds: int = Field(3600, ge=1, description="of one process")
    sandbox_cpus: float = Field(1, gt=0, description="of one session; of the launcher docker")
    sandbox_file_bytes: int = Field(512 * 2**20, ge=2**20, description="of one file")
    sandbox_disk_bytes: int = Field(2 * 2**30, ge=2**20, description="of one session's files")
    sandbox_files: int = Field(20_000, ge=100, description="of one session")
    sandbox_output_bytes: int = Field(2**20, ge=1024, description="text of one execution; the rest is cut")
    sandbox_image_bytes: int = Field(20 * 2**20, ge=1024, description="images of one execution; the rest is cut")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    def secrets(self) -> set[str]:
        """Every secret among the settings, as it may turn up in a message: keys, tokens, the passwords of URLs."""
        return set(secrets_in(self)) - {""}

    @property
    def required_sandbox_token(self) -> str:
        """The token that host and workers share."""
        token = self.sandbox_token.get_secret_value() if self.sandbox_token is not None else ""
        if not token:
            raise MissingSetting("LOCUM_SANDBOX_TOKEN")
        return token

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("LOCUM_CONFIG")
        if named and not Path(named).is_file():
            raise FileNotFoundError(f"LOCUM_CONFIG: there is no file {named}")
        toml = TomlConfigSettingsSource(settings_cls, Path(named or "locum.toml"))
        return init_settings, env_settings, toml


class Settings(SandboxSettings):
    """The settings of one process. Build it once, at the top, and hand it down."""

    model_config = SettingsConfigDict(env_prefix="LOCUM_", extra="forbid", validate_default=True)

    # What Locum stands on. `locum up` starts what is not named here.
    database_url: str | None = Field(None, description="postgresql://user:password@host:port/name")
    database_pool_size: int = Field(10, ge=1)
    database_pool_timeout: float = Field(10, gt=0, description="seconds to wait for a free connection")
    database_command_timeout: float = Field(10, gt=0, description="seconds, for statements that are not known as long")
    redis_url: str | None = Field(None, description="redis://host:port/0, rediss://... or unix:///path?db=0")

    # The API.
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="of a JSON request")
    cors_origins: list[str] = Field(default_factory=list, description="of pages that may call the API; `*`: all")
    image_urls: Literal["any", "public", "none"] = Field("public", description="which images model servers may fetch")
    client_timeout: float = Field(30, gt=0, description="seconds that a client may be silent in a request, or not read")
    poll_after_ms: int = Field(200, ge=1, description="openai-poll-after-ms: how often the SDKs' pollers ask")
    key_requests_per_minute: int | None = Field(None, ge=1, description="of one API key; no limit if absent")
    project_requests_per_minute: int | None = Field(None, ge=1, description="of all keys of a project; as above")
    max_queued_runs: int | None = Field(None, ge=1, description="of one project; no limit if absent")

    # Model servers.
    backend_url: str | None = Field(None, description="OpenAI base URL of the default backend, with its /v1")
    backend_api_key: SecretStr | None = None
    default_model: str | None = Field(None, description="asked for where the requested model is not known")
    context_window: int = Field(32768, ge=256, description="tokens, where neither route nor backend tells")
    tools: ToolMode = Field("native", description="how backends call tools, where the route does not say")
    embeddings_url: str | None = Field(None, description="OpenAI base URL for embeddings; the backend's if absent")
    embeddings_api_key: SecretStr | None = None
    embeddings_model: str = Field("text-embedding-3-small", description="asked for at LOCUM_EMBEDDINGS_URL")
    embeddings_window: int = Field(
        8191, ge=64, description="tokens that model takes at once; longer texts are windowed"
    )
    embeddings_batch: int = Field(64, ge=1, description="texts of one request for embeddings")
    backends: dict[str, BackendSettings] = Field(default_factory=dict)
    models: list[ModelRoute] = Field(default_factory=list)
    backend_connect_timeout: float = Field(5, gt=0, description="seconds")
    backend_idle_timeout: float = Field(120, gt=0, description="seconds without a byte before a call is given up")
    backend_retries: int = Field(4, ge=0, description="further tries before the first token")
    backend_connections: int = Field(512, ge=1, description="at once, of one process")

    # Runs.
    run_expiry_seconds: int = Field(600, ge=1)
    run_max_turns: int = Field(64, ge=1, description="model calls of one run; beyond them it fails")
    run_lease_seconds: float = Field(10, gt=0, description="a worker silent for so long has lost its runs")
    sweep_seconds: float = Field(2, gt=0, description="how often lost and overdue runs are looked for")
    worker_concurrency: int = Field(256, ge=1, description="runs at once, of one worker process")

    # Files.
    storage_url: str | None = Field(None, description="s3://bucket/prefix; the folder `files` of data_dir if absent")
    s3_endpoint: str | None = Field(None, description="of an S3-compatible server; AWS if absent")
    s3_region: str = "us-east-1"
    s3_access_key_id: str | None = Field(None, description="with its secret; else as AWS's own tools find them")
    s3_secret_access_key: SecretStr | None = None
    max_file_bytes: int = Field(512 * 2**20, ge=1, description="of one file")
    project_storage_bytes: int = Field(
        0, ge=0, description="of a project's files and parts of uploads, all together; 0: no limit"
    )
    download_all_files: bool = Field(default=True, description="also those of purpose assistants, which OpenAI refuses")

    # Vector stores.
    ingestion_concurrency: int = Field(3, ge=1, description="files at once, of one ingestion worker")
    ingestion_lease_seconds: float = Field(30, gt=0, description="a worker silent for so long has lost its files")
    ingestion_tries: int = Field(4, ge=1, description="before a file whose ingestion breaks is failed")
    parser_seconds: float = Field(300, gt=0, description="of processor time, to parse one file")
    parser_memory_bytes: int = Field(2 * 2**30, ge=2**28, description="of the process that parses one file")
    text_search_config: str = Field("english", pattern="^[a-z_]+$", description="Postgres's, for new chunks' words")
    file_search_wait_seconds: float = Field(
        60, ge=0, description="how long a run waits for files that were attached before it and cannot be searched yet"
    )

    # Retention. What has no number of days is kept.
    prune_threads_days: int | None = Field(None, ge=1, description="after which threads that lie idle are deleted")
    prune_vector_stores_days: int | None = Field(None, ge=0, description="after their expiry until they are deleted")
    prune_files_days: int | None = Field(None, ge=1, description="after which files nothing refers to are deleted")

    # Code, in a sandbox host.
    code_files_bytes: int = Field(
        512 * 2**20, ge=1, description="of the files and images that one execution may bring back, all together"
    )
    sandbox_url: str | None = Field(None, description="of the sandbox host: http://host:port")

    # Event logs of runs, in Redis.
    event_retention_seconds: int = Field(3600, ge=60)
    event_keepalive_seconds: float = Field(15, gt=0)

    @field_validator("backend_url", "embeddings_url", "sandbox_url")
    @classmethod
    def _check_backend_url(cls, value: str | None) -> str | None:
        return None if value is None else _base_url(value)

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("storage_url")
    @classmethod
    def _check_storage_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("s3://"):
            raise ValueError("must begin with s3://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @property
    def required_database_url(self) -> str:
        """The database URL as the drivers want it."""
        if self.database_url is None:
            raise MissingSetting("LOCUM_DATABASE_URL")
        return self.database_url.replace("postgresql+psycopg://", "postgresql://", 1)

    @property
    def required_redis_url(self) -> str:
        """The Redis URL as redis-py wants it."""
        if self.redis_url is None:
            raise MissingSetting("LOCUM_REDIS_URL")
        return self.redis_url

    @property
    def celery_broker_url(self) -> str:
        """The Redis URL as Celery (kombu) wants it, which spells unix sockets in its own way."""
        return self.required_redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")


class MissingSetting(Exception):
    """A setting that this command cannot do without; the message is the variable's name."""

    def __str__(self) -> str:
        return f"{self.args[0]} is not set"


def child_environment(**settings: object) -> dict[str, str]:
    """The environment for a child process: this one's own, with these settings of Locum (`port=8080`) put in."""
    return {**os.environ, **{f"LOCUM_{name.upper()}": str(value) for name, value in settings.items()}}
