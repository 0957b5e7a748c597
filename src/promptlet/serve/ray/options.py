"""Settings of a service on a cluster: what goes together, what every node is given, what Ray is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from promptlet.errors import OptionError
from promptlet.promptfile.backbone import is_folder_name
from promptlet.serve.parts import LAST_SECONDS
from promptlet.serve.settings import ServeSettings

FRONT_CPUS: Final = 1.0
MARGIN: Final = 5.0
"""Seconds beyond those of the settings after which Ray ends a process that was told to end."""
QUIET: Final = {"enable_access_log": False}
"""Ray's own lines of each call; ours tell more."""


def check(settings: ServeSettings) -> None:
    """Raise OptionError for settings that do not go together."""
    if settings.max_encoders < settings.min_encoders:
        raise OptionError(
            f"max_encoders={settings.max_encoders} is below min_encoders={settings.min_encoders}; give both, "
            "as --set min_encoders=2 --set max_encoders=8"
        )
    device = settings.device or ""
    if device.partition(":")[2]:
        raise OptionError(
            f"--device {device} with the engine ray: each encoder is given a free GPU of the cluster; give "
            "--set encoder_gpus=1"
        )
    if device == "cuda" and not settings.encoder_gpus:
        raise OptionError(
            "--device cuda with the engine ray: say how many each encoder has: --set encoder_gpus=1"
        )
    if device not in ("", "cuda") and settings.encoder_gpus:
        raise OptionError(f"encoder_gpus={settings.encoder_gpus:g} does not go with --device {device}")


def given_to_nodes(settings: ServeSettings, backbone: str) -> dict[str, Any]:
    """The settings as a process of the cluster needs them: its folder is another one than this command's."""
    given = settings.model_dump()
    given["device"] = "cuda" if settings.encoder_gpus else settings.device or "cpu"
    given["backbone"] = _whole(backbone) if is_folder_name(backbone) else backbone
    if "://" not in settings.prompts:
        given["prompts"] = _whole(settings.prompts)
    if settings.token_file is not None:
        given["token_file"] = Path(_whole(settings.token_file))
    if settings.class_cache not in (None, "off"):
        given["class_cache"] = _whole(str(settings.class_cache))
    if settings.log_format == "auto":
        given["log_format"] = "json"
    return given


def _whole(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute())


def needs_of_encoder(settings: ServeSettings) -> dict[str, float]:
    """Of each, in Ray's words."""
    needs = {"CPU": settings.encoder_cpus, "GPU": settings.encoder_gpus}
    return {name: count for name, count in needs.items() if count}


def encoder_options(settings: ServeSettings) -> dict[str, Any]:
    """Of their deployment. An encoder's own queue refuses before Ray's bounds do: it knows for how long."""
    few, many = settings.min_encoders, settings.max_encoders
    scaling = {
        "min_replicas": few,
        "max_replicas": many,
        "target_ongoing_requests": max(1.0, settings.batch / 2),
    }
    return {
        **({"num_replicas": few} if few == many else {"autoscaling_config": scaling}),
        "ray_actor_options": {"num_cpus": settings.encoder_cpus, "num_gpus": settings.encoder_gpus},
        "max_ongoing_requests": settings.queue_images + 2,
        "max_queued_requests": settings.queue_images,
        "health_check_period_s": 5.0,
        "graceful_shutdown_wait_loop_s": 0.2,
        "graceful_shutdown_timeout_s": settings.drain_seconds + LAST_SECONDS + MARGIN,
        "logging_config": QUIET,
    }


def front_options(settings: ServeSettings) -> dict[str, Any]:
    """Of their deployment. Ray asks them for nothing but what they say at their start, and their health."""
    return {
        "num_replicas": settings.fronts,
        "ray_actor_options": {"num_cpus": FRONT_CPUS},
        "health_check_period_s": 2.0,  # after which Ray sees that one is gone
        "graceful_shutdown_wait_loop_s": 0.2,
        "graceful_shutdown_timeout_s": end_seconds(settings),
        "logging_config": QUIET,
    }


def end_seconds(settings: ServeSettings) -> float:
    """That a front may take to end."""
    return settings.leave_seconds + settings.drain_seconds + MARGIN
