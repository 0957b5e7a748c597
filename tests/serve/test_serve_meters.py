"""What `/metrics` shows: every name that is documented, from the start, and apart for each server."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from promptlet.serve.meters import IMAGE_RESULTS, Meters

NAMES = {
    "promptlet_requests",
    "promptlet_request_seconds",
    "promptlet_images",
    "promptlet_images_asked",
    "promptlet_queue_images",
    "promptlet_batch_images",
    "promptlet_encode_seconds",
    "promptlet_decode_seconds",
    "promptlet_wait_seconds",
    "promptlet_encoder_failures",
    "promptlet_prompts",
    "promptlet_prompt_failures",
    "promptlet_class_features",
    "promptlet_class_features_bytes",
    "promptlet_class_features_refused",
    "promptlet_queue_prompts",
    "promptlet_recent_bytes",
    "promptlet_held_body_bytes",
}


def test_all_are_shown_and_no_label_names_anybody() -> None:
    meters = Meters()
    meters.requests.labels("/v1/predict", "200").inc()
    families = {family.name: family for family in text_string_to_metric_families(meters.text().decode())}
    own = {name for name in families if name.startswith("promptlet_") and not name.endswith("_created")}
    assert own == NAMES
    labels = {label for name in own for sample in families[name].samples for label in sample.labels}
    assert labels == {"route", "status", "result", "state", "from", "le"}
    assert "process_resident_memory_bytes" in families


def test_counters_are_0_before_the_first() -> None:
    meters = Meters()
    for result in IMAGE_RESULTS:
        assert meters.registry.get_sample_value("promptlet_images_total", {"result": result}) == 0


def test_two_servers_count_apart() -> None:
    first, second = Meters(), Meters()
    first.worked(3, 0.01)
    first.waited([0.001, 0.002, 0.003])
    first.prepared(0.004)
    assert first.registry.get_sample_value("promptlet_batch_images_sum") == 3
    assert first.registry.get_sample_value("promptlet_wait_seconds_count") == 3
    assert second.registry.get_sample_value("promptlet_batch_images_sum") == 0
