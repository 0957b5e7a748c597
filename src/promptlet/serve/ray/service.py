"""`promptlet serve --engine ray`: the service is deployed in a cluster, and taken away at the end.

Two applications of Ray Serve: encoders, and fronts that hold the encoders' handle. Fronts go first at the
end, so that what they accepted is still encoded. Ray's own HTTP proxy is not used: it reads a body as fast as
it comes and without a bound, and answers by itself, in plain text, where a process is lost.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final

from promptlet.errors import EngineError, MissingExtraError, ServiceError
from promptlet.protocols.engines.ray.cluster import check_head, cluster, head_of, last_line, silence
from promptlet.serve import parts as made
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.addresses import address_of
from promptlet.serve.logs import logging_to
from promptlet.serve.settings import ServeSettings
from promptlet.serve.signals import stopped_by_signals
from promptlet.serve.start import Started, check_access

LOOK: Final = 5.0
"""Seconds between two looks whether the head of the cluster is there."""
POLL: Final = 0.2
PATIENCE: Final = 5.0
"""Seconds after which it is told that the cluster has no room."""
LEFT: Final = "the service may be left in the cluster: serve shutdown ends it"
_OURS: Final = re.compile(r"promptlet\.(?:[a-z_]+\.)*[A-Z]\w+: (.+)")
_logger = logging.getLogger("promptlet.serve")


def run_on_ray(settings: ServeSettings, tell: Callable[[Started], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. tell: called once it can be asked.

    Raises OptionError for settings that do not go together, MissingExtraError without Ray, EngineError for a
    cluster that cannot be reached or has no room, ServiceError where it cannot start.
    """
    check_extra()
    stop = threading.Event()
    with logging_to(settings.log_format, settings.log_level), stopped_by_signals(stop.set, LEFT):
        check_access(settings, address_of(settings.host, settings.port))
        if settings.token_file is not None:
            Tokens.read(settings.token_file)  # said here, not by each node
        backbone = made.backbone_name(settings, made.open_place(settings))
        with cluster(settings.ray_address, option="--ray-address") as ray:
            logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
            service = _Service(ray, settings, backbone, stop)
            try:
                with silence():
                    started = service.start()
                if started is not None:
                    tell(started)
                    service.wait()
            finally:
                with silence():
                    service.end()
        _logger.info("stopped")


def check_extra() -> None:
    """Raise MissingExtraError where Ray Serve is not there."""
    try:
        import ray.serve  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"the engine ray needs Ray Serve ({error}): pip install 'promptlet[ray,serve]', here and on "
            "every node"
        ) from error


class _Service:
    """The two applications. stop: set where the command is to end."""

    def __init__(self, ray: Any, settings: ServeSettings, backbone: str, stop: threading.Event) -> None:
        from ray import serve

        from promptlet.serve.ray import options

        options.check(settings)
        self.ray, self.serve, self.settings, self.stop = ray, serve, settings, stop
        self.options = options
        self.given = options.given_to_nodes(settings, backbone)
        self.encoders, self.fronts = f"{settings.ray_name}-encoders", settings.ray_name
        self.begun: list[str] = []
        self.running: set[str] = set()
        self.head = head_of(ray)

    def start(self) -> Started | None:
        """Both, in time; None where it was stopped before."""
        from promptlet.serve.ray.encoder import EncoderReplica
        from promptlet.serve.ray.front import FrontReplica

        until = monotonic() + self.settings.start_seconds
        deploy, options = self.serve.deployment, self.options
        self.serve.start(proxy_location="Disabled", logging_config=options.QUIET)
        encoders = deploy(name="encoder", **options.encoder_options(self.settings))(EncoderReplica)
        handle = self._deploy(self.encoders, encoders.bind(self.given, self.given["backbone"]), until)
        if handle is None:
            return None
        fronts = deploy(name="front", **options.front_options(self.settings))(FrontReplica)
        front = self._deploy(self.fronts, fronts.bind(self.given, handle), until)
        if front is None:
            return None
        started: Started = front.told.remote().result(timeout_s=max(1.0, until - monotonic()))
        return started

    def wait(self) -> None:
        """Until it is to end. Raises ServiceError where the head of the cluster is gone."""
        while not self.stop.wait(LOOK):
            try:
                check_head(self.head)
            except EngineError as error:
                self.begun.clear()  # nobody could end them
                raise ServiceError(
                    f"the head of the Ray cluster at {self.head} does not answer any more; fronts whose "
                    "nodes are there may go on answering; start the cluster again, and then this command"
                ) from error

    def end(self) -> None:
        """What was accepted is finished; then nothing of it is left in the cluster."""
        seconds = self.options.end_seconds(self.settings) + self.options.MARGIN
        while self.begun:
            name = self.begun.pop()
            self.serve.delete(name, _blocking=False)
            if name not in self.running:  # nothing was accepted, and Ray takes its time
                continue
            until = monotonic() + seconds
            while name in self.serve.status().applications and monotonic() < until:
                sleep(POLL)
        if not self.serve.status().applications:
            self.serve.shutdown()

    def _deploy(self, name: str, application: Any, until: float) -> Any | None:
        """The handle of an application once it runs; None where it was stopped before."""
        outcome: list[Any] = []

        def deploy() -> None:
            try:
                outcome.append(self.serve.run(application, name=name, route_prefix=None))
            except Exception as error:
                outcome.append(error)

        self.begun.append(name)
        threading.Thread(target=deploy, name="promptlet-deploy", daemon=True).start()
        told = monotonic() + PATIENCE
        while not outcome:
            if self.stop.wait(POLL):
                return None
            message = self._message(name)
            known = _OURS.search(message)
            if known is not None:
                raise ServiceError(f"the service does not start on the cluster: {known[1].strip()}")
            if monotonic() > until:
                raise EngineError(self._no_room(name, message))
            if monotonic() > told:
                _logger.warning("%s", self._waiting(name))
                told = monotonic() + 6 * PATIENCE
        if isinstance(outcome[0], Exception):
            known = _OURS.search(str(outcome[0]))
            reason = known[1].strip() if known else last_line(str(outcome[0]))
            raise ServiceError(f"the service does not start on the cluster: {reason}") from outcome[0]
        self.running.add(name)
        return outcome[0]

    def _message(self, name: str) -> str:
        """What Ray says of its start."""
        application = self.serve.status().applications.get(name)
        if application is None:
            return ""
        return "\n".join([application.message, *(one.message for one in application.deployments.values())])

    def _needs(self, name: str) -> tuple[int, str, dict[str, float]]:
        """How many processes, of what kind, and what each needs."""
        settings, options = self.settings, self.options
        if name == self.encoders:
            return settings.min_encoders, "encoders", options.needs_of_encoder(settings)
        return settings.fronts, "fronts", {"CPU": options.FRONT_CPUS}

    def _waiting(self, name: str) -> str:
        count, kind, needs = self._needs(name)
        free = self.ray.available_resources()
        words = {"CPU": "processors", "GPU": "GPUs"}
        each = " and ".join(f"{need:g} {words[one]}" for one, need in needs.items())
        left = " and ".join(f"{free.get(one, 0):g} {words[one]}" for one in needs)
        return f"waiting for {count} {kind} of {each} each; free in the cluster now: {left}"

    def _no_room(self, name: str, message: str) -> str:
        said = last_line(message)
        return (
            f"the service did not start within {self.settings.start_seconds:g} s: {self._waiting(name)}"
            f"{f' (Ray says: {said[:300]})' if said else ''}; add nodes, ask for less "
            "(--set min_encoders, encoder_cpus, fronts), or wait longer (--set start_seconds)"
        )
