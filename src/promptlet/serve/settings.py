"""The settings of a server: given on the command line, in the environment, in a file, or else their default.

Each has its description here; docs/reference/serve-settings.md is made of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from promptlet.errors import OptionError, did_you_mean, shown
from promptlet.serve.toml import read_toml
from promptlet.serve.values import Engine, LogFormat, LogLevel, Origins, Size

PREFIX: Final = "PROMPTLET_SERVE_"
MIB: Final = 2**20


class ServeSettings(BaseSettings):
    """All settings of `promptlet serve`. Sizes are bytes, and may be written as "64MB"; times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=False
    )

    prompts: str = Field(
        ".", description="Where prompt files lie: a folder, or an address of fsspec (s3://...)."
    )
    backbone: str | None = Field(None, description="The backbone; else the one that the prompt files name.")
    device: str | None = Field(None, description="cpu, cuda, cuda:1, mps; else CUDA, mps, or the CPU.")
    dtype: str | None = Field(None, description="auto, float32, mixed, bfloat16 or float16; else auto.")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="The address to listen at. Other than this machine's own needs token_file.",
    )
    port: int = Field(8080, ge=0, le=65535, description="The port; 0 takes a free one, and says which.")
    token_file: Path | None = Field(
        None, description="The file with the hashes of tokens (promptlet serve-token)."
    )
    allow_urls: bool = Field(False, description="Load images from http(s) addresses of the public internet.")
    projects: Path | None = Field(
        None,
        description="Folder of projects for the page of promptlet teach, at /; it holds the prompts, too.",
    )
    metrics_open: bool = Field(False, description="Whether /metrics is told without a token, too.")
    cors_origins: Origins = Field(
        (),
        description="Origins whose pages may ask, as https://example.com, with commas; none: CORS is off.",
    )

    max_body_bytes: Size = Field(64 * MIB, ge=1024, description="Largest body of a request.")
    max_held_bytes: Size = Field(
        512 * MIB,
        ge=1024,
        description="Bodies of all requests, and images loaded for them; more is answered by 503.",
    )
    max_images: int = Field(128, ge=1, le=100_000, description="Images in a request.")
    max_prompts: int = Field(10_000, ge=1, le=1_000_000, description="Prompts in a request.")
    max_class_names: int = Field(10_000, ge=1, le=1_000_000, description="Class names in a request.")
    max_answers: int = Field(
        250_000,
        ge=1,
        le=100_000_000,
        description="Images of a request times its prompts times the classes told of each.",
    )
    max_prompt_bytes: Size = Field(16 * MIB, ge=1024, description="Largest prompt file that is put.")
    max_urls: int = Field(16, ge=1, le=1000, description="Images by address in a request (allow_urls).")
    max_pixels: int = Field(50_000_000, ge=1, description="Pixels of an image.")

    queue_images: int = Field(
        256, ge=1, le=1_000_000, description="Images that wait; more are answered by 503."
    )
    queue_prompts: int = Field(
        256,
        ge=1,
        le=1_000_000,
        description="Prompts whose class features are waited for, 4 of a request at most; more: 503.",
    )
    wait_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Longest wait for the turn of images, of class features and of addresses; else 503.",
    )
    request_seconds: float = Field(
        60.0, gt=0, le=86_400, description="Longest time that a request is worked on."
    )
    body_seconds: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="Longest time in which a body comes, and in which an answer is taken.",
    )
    head_seconds: float = Field(
        10.0, gt=0, le=3600, description="Longest time in which the head of a request comes."
    )
    keep_alive_seconds: float = Field(
        20.0, gt=0, le=3600, description="How long a connection stays open for another request."
    )
    connections: int = Field(
        1000, ge=1, le=1_000_000, description="Connections at once; more are answered by 503 and closed."
    )

    batch: int = Field(32, ge=1, le=65_536, description="Images that the encoder takes at once, at most.")
    tenant_share: float = Field(
        0.5, gt=0, le=1, description="Share of each queue, and of max_held_bytes, that one token may take."
    )
    recent_bytes: Size = Field(
        64 * MIB, ge=0, description="Memory for features of recent images; 0: none are kept."
    )
    class_bytes: Size = Field(512 * MIB, ge=0, description="Memory for features of classes.")
    class_cache: str | None = Field(
        None, description="Folder for features of classes on disk, or off; else the feature cache's."
    )

    log_format: LogFormat = Field("auto", description="json, console, or auto: console on a terminal.")
    log_level: LogLevel = Field("info", description="debug, info, warning or error.")
    leave_seconds: float = Field(
        0.0,
        ge=0,
        le=600,
        description="After SIGTERM, how long requests are still taken while /readyz says 503.",
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=3600, description="After that, how long requests that were taken may last."
    )
    stuck_seconds: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="A batch that lasts longer ends the process, so that it is started anew.",
    )

    engine: Engine = Field(
        "local", description="local: all in this process; ray: as a service of a Ray cluster."
    )
    ray_address: str | None = Field(
        None,
        description="The cluster, as host:port or auto; else one is started on this machine. For engine ray.",
    )
    ray_name: str = Field(
        "promptlet",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}$",
        description="Name of the service in the cluster; one of the same name is replaced.",
    )
    fronts: int = Field(
        1, ge=1, le=1000, description="Processes of the cluster that answer HTTP, with a processor each."
    )
    min_encoders: int = Field(
        1, ge=1, le=10_000, description="Processes of the cluster that encode images, at the least."
    )
    max_encoders: int = Field(
        1, ge=1, le=10_000, description="The same at the most; in between as many as are needed."
    )
    encoder_cpus: float = Field(
        1.0, gt=0, le=1000, description="Processors that the cluster gives to an encoder."
    )
    encoder_gpus: float = Field(
        0.0, ge=0, le=64, description="GPUs that it gives to one, such as 1, or 0.5 to share one."
    )
    start_seconds: float = Field(
        120.0, gt=0, le=86_400, description="How long the cluster may take to have room and load the model."
    )

    @property
    def shown_prompts(self) -> str:
        """The place of the prompts without what may be secret in an address: its user and query."""
        return re.sub(r"//[^/@]*@", "//", self.prompts.partition("?")[0])


NAMES: Final = tuple(ServeSettings.model_fields)
OPTIONS: Final = (
    "prompts",
    "backbone",
    "device",
    "dtype",
    "host",
    "port",
    "token_file",
    "engine",
    "ray_address",
)
"""Those with an option of their own on the command line."""


def read_settings(
    given: Mapping[str, Any], config: Path | None = None, environment: Mapping[str, str] | None = None
) -> ServeSettings:
    """The settings of a command line (None: not given), the environment and a TOML file, in that order.

    Raises OptionError for a name that is none, a value that is not allowed, or a file that cannot be read;
    it says where that stands.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    table = {} if config is None else read_toml(config, "--config")
    told = os.environ if environment is None else environment
    _check_names(asked, "--set {}")
    _check_names(table, f"{config}: {{}}")
    environ = {key.upper(): value for key, value in told.items() if key.upper().startswith(PREFIX)}
    _check_names({key.removeprefix(PREFIX).lower(): value for key, value in environ.items()}, "{}", PREFIX)

    class Layers(ServeSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, table)

    try:
        return Layers(**asked)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = f"{PREFIX}{name.upper()}"
        option = f"--{name.replace('_', '-')}" if name in OPTIONS else f"--set {name}"
        where = option if name in asked else variable if environ.get(variable) else f"{config}: {name}"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise OptionError(
            f"{where}={shown(first['input'])} is not allowed: {reason[:1].lower()}{reason[1:]}"
            f"{_linked(environ)}"
        ) from None


def _linked(environ: Mapping[str, str]) -> str:
    """What is to be said where another sets variables of these names."""
    if not environ.get(f"{PREFIX}PORT", "").startswith("tcp://"):
        return ""
    return (
        f" Kubernetes sets {PREFIX}PORT and others for a service that is called promptlet-serve: give the "
        "service another name, or the pod enableServiceLinks: false."
    )


def _check_names(table: Mapping[str, Any], where: str, prefix: str = "") -> None:
    for name in sorted(table):
        if name not in NAMES:
            full = f"{prefix}{name.upper()}" if prefix else name
            known = [f"{prefix}{one.upper()}" for one in NAMES] if prefix else NAMES
            hint = did_you_mean(full, known) or " All of them: docs/reference/serve-settings.md."
            more = (
                _linked({f"{prefix}{one.upper()}": str(value) for one, value in table.items()})
                if prefix
                else ""
            )
            raise OptionError(f"{where.format(full)} is no setting.{more or hint}")


def page() -> str:
    """The page docs/reference/serve-settings.md."""
    rows = [
        f"| `{name}` | {_default(field.default)} | {_allowed(field)} | {field.description} |"
        for name, field in ServeSettings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and value >= MIB and value % MIB == 0:
        return f"`{value // MIB}MB`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _allowed(field: Any) -> str:
    words = {"Ge": "from {}", "Gt": "above {}", "Le": "to {}"}
    limits = [
        words[type(one).__name__].format(f"{getattr(one, type(one).__name__.lower()):,}")
        for one in field.metadata
        if type(one).__name__ in words
    ]
    return " ".join(limits)


HEAD: Final = """# Settings of the server

Made of the settings' own descriptions by
`python -m promptlet.serve.settings > docs/reference/serve-settings.md`. A test fails when it is out of date.

Each can be given in three places; the first that has it counts:

1. on the command line: `--port 9000`, and for those without an option of their own `--set max_images=16`;
2. in the environment, in capitals: `PROMPTLET_SERVE_MAX_IMAGES=16`;
3. in a TOML file that `--config FILE` names: `max_images = 16`.

A name that is none and a value that is not allowed are errors: the server does not start. Sizes are bytes, or
written as `64MB` (1 KB is 1,024 bytes); times are seconds.

| name | default | allowed | what it is |
| --- | --- | --- | --- |
"""

if __name__ == "__main__":
    print(page(), end="")
