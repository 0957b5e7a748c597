"""What `/metrics` shows, in a registry of its own: two servers in one process do not count together.

No label names a tenant, a prompt or an image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest

from promptlet.errors import BusyError, OptionError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
IMAGE_RESULTS = ("encoded", "recent", "bad", "unloaded", "refused", "late", "cancelled", "failed")
"""How each image that is asked for ends, once: encoded; answered by an encoding that another one counts for;
no image; not loaded from its address; asked for when there was no room, or its turn did not come; given up as
the time of its request was over; given up as its asker went away, or its request ended otherwise; not encoded
though it is an image."""
PROMPT_STATES = ("ready", "broken", "being written")
FEATURE_SOURCES = ("memory", "disk", "computed")
SHORT = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
LONG = (*SHORT[3:], 30.0, 60.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Meters:
    """The counters, each under the name that `/metrics` shows it by, without ``promptlet_``."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)  # its memory, processor seconds and open files
        self.requests = prometheus.Counter(
            "promptlet_requests", "Requests answered, by route and status.", ["route", "status"], registry=own
        )
        self.request_seconds = Histogram(
            "promptlet_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["route"],
            registry=own,
            buckets=LONG,
        )
        self.images_asked = prometheus.Counter(
            "promptlet_images_asked", "Images asked for, also those that have not ended.", registry=own
        )
        self.images = prometheus.Counter(
            "promptlet_images", "Images asked for, by how each ended.", ["result"], registry=own
        )
        self.queue_images = Gauge(
            "promptlet_queue_images", "Images accepted whose encoding has not ended.", registry=own
        )
        self.batch_images = Histogram(
            "promptlet_batch_images", "Images encoded at once.", registry=own, buckets=BATCHES
        )
        self.encode_seconds = Histogram(
            "promptlet_encode_seconds", "Seconds of encoding a batch.", registry=own, buckets=SHORT
        )
        self.decode_seconds = Histogram(
            "promptlet_decode_seconds", "Seconds of decoding an image.", registry=own, buckets=SHORT
        )
        self.wait_seconds = Histogram(
            "promptlet_wait_seconds",
            "Seconds from an image's acceptance until its batch began.",
            registry=own,
            buckets=SHORT,
        )
        self.encoder_failures = prometheus.Counter(
            "promptlet_encoder_failures", "Times that the encoder was stuck, or had died.", registry=own
        )
        self.prompts = Gauge("promptlet_prompts", "Prompt files, by state.", ["state"], registry=own)
        self.class_features = prometheus.Counter(
            "promptlet_class_features",
            "Times that class features were needed, by where they came from.",
            ["from"],
            registry=own,
        )
        self.class_features_bytes = Gauge(
            "promptlet_class_features_bytes", "Bytes of class features held in memory.", registry=own
        )
        self.prompt_failures = prometheus.Counter(
            "promptlet_prompt_failures",
            "Times that a prompt failed as nobody expected; the log says how.",
            registry=own,
        )
        self.class_features_refused = prometheus.Counter(
            "promptlet_class_features_refused",
            "Prompts whose class features were not waited for: there was no room, or no turn in time.",
            registry=own,
        )
        self.queue_prompts = Gauge(
            "promptlet_queue_prompts", "Prompts whose class features are waited for.", registry=own
        )
        self.recent_bytes = Gauge(
            "promptlet_recent_bytes", "Bytes of image features held in memory.", registry=own
        )
        self.held_body_bytes = Gauge(
            "promptlet_held_body_bytes", "Bytes of request bodies held in memory.", registry=own
        )
        for result in IMAGE_RESULTS:  # shown as 0 before the first
            self.images.labels(result)
        for state in PROMPT_STATES:
            self.prompts.labels(state)
        for source in FEATURE_SOURCES:
            self.class_features.labels(source)

    def text(self) -> bytes:
        """All of them, of the type `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    # what a batcher tells

    def waited(self, seconds: Sequence[float]) -> None:
        """From acceptance until it was taken into a batch, of each image of one."""
        for one in seconds:
            self.wait_seconds.observe(one)

    def prepared(self, seconds: float) -> None:
        """An image was decoded."""
        self.decode_seconds.observe(seconds)

    def worked(self, items: int, seconds: float) -> None:
        """A batch was encoded."""
        self.batch_images.observe(items)
        self.encode_seconds.observe(seconds)

    # what a bank tells

    def counted(self, by_state: Mapping[str, int]) -> None:
        """How many prompts there are now."""
        for state in PROMPT_STATES:
            self.prompts.labels(state).set(by_state.get(state, 0))

    def made(self, came_from: str) -> None:
        """Class features were asked for, and came from there: one of `FEATURE_SOURCES`."""
        self.class_features.labels(came_from).inc()

    def holds(self, held: int) -> None:
        """Bytes of class features in memory now."""
        self.class_features_bytes.set(held)


@contextmanager
def counting_ends(meters: Meters | None, images: int, until: float | None = None) -> Iterator[Counter[str]]:
    """So many images are asked for, and each ends with the block: as that says in what it is given, by words
    of `IMAGE_RESULTS`; where it is left by an error, by that. until: of `time.monotonic`, when they are late.
    """
    if meters is not None:
        meters.images_asked.inc(images)
    ends: Counter[str] = Counter()
    try:
        yield ends
    except BaseException as error:
        ends = Counter({_end_by(error, until): images})
        raise
    finally:
        if meters is not None:
            for result, count in ends.items():
                meters.images.labels(result).inc(count)


def _end_by(error: BaseException, until: float | None) -> str:
    is_refusal = isinstance(error, BusyError | OptionError)
    if isinstance(error, Exception) and not is_refusal:
        return "failed"
    if until is not None and monotonic() >= until:
        return "late"
    return "refused" if is_refusal else "cancelled"
