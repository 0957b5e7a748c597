"""A process of the cluster that encodes images for all fronts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from time import monotonic
from typing import Any

from promptlet.errors import BusyError, OptionError, ServiceError
from promptlet.serve import parts as made
from promptlet.serve.logs import logging_to
from promptlet.serve.ray.messages import TAKEN, Encoded, Refused, encoded, other_backbone
from promptlet.serve.settings import ServeSettings


class ClusterEncoder:
    """The backbone ``name`` and a `LocalEncoder` over it, which makes the batches. given: settings.

    Where it is stuck, the process ends, and Ray starts another one.
    """

    def __init__(self, given: Mapping[str, Any], name: str) -> None:
        from promptlet.backbones import load_backbone

        settings = ServeSettings.model_construct(**given)
        self._open = ExitStack()
        self._open.enter_context(logging_to(settings.log_format, settings.log_level))
        self._backbone = load_backbone(name, settings.device, settings.dtype)
        self._encoder = made.make_encoder(settings, self._backbone, made.make_meters())

    async def encode(
        self, fingerprint: str, images: Sequence[bytes], tenant: str, seconds: float | None
    ) -> AsyncIterator[str | Encoded | Refused]:
        """`TAKEN`, then what became of the images. seconds: after which it is of no use. fingerprint: of the
        backbone whose features are wanted, told each time, since Ray starts encoders when it likes, also on a
        node that holds another model."""
        yield TAKEN
        own = self._backbone.fingerprint
        if fingerprint != own:
            yield Refused("broken", other_backbone(own, fingerprint))
            return
        deadline = None if seconds is None else monotonic() + seconds
        try:
            outcomes, ends = await self._encoder.found(images, tenant, deadline)
        except BusyError as error:
            yield Refused("busy", str(error), error.retry_after)
        except OptionError as error:
            yield Refused("never", str(error))
        except ServiceError as error:
            yield Refused("broken", str(error))
        else:
            yield encoded(outcomes, ends, self._backbone.feature_dim)

    async def probe(self) -> AsyncIterator[str | float | Refused]:
        """`TAKEN`, then the seconds of `Encoder.probe`."""
        yield TAKEN
        try:
            yield await self._encoder.probe()
        except ServiceError as error:
            yield Refused("broken", str(error))

    async def facts(self) -> AsyncIterator[str | dict[str, Any]]:
        """`TAKEN`, then what is told of the backbone."""
        yield TAKEN
        yield made.backbone_facts(self._backbone)

    async def check_health(self) -> None:
        """Asked by Ray now and then: raises where no image is encoded."""
        await self._encoder.probe()

    async def end(self) -> None:
        """What goes on is finished. Ray has waited for its requests before."""
        if hasattr(self, "_encoder"):
            await self._encoder.close(made.LAST_SECONDS)
        self._open.close()


class EncoderReplica(ClusterEncoder):
    """The same as Ray ends it: it awaits this method when no request waits for the process any more."""

    async def __del__(self) -> None:
        await self.end()
