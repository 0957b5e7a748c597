"""The hub: out of reach, refusing, or answering, with its network call replaced; nothing is downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hf_toys import encoded, image_set, save_disk

from promptlet.data import Split, load_dataset
from promptlet.data.doctor import examine
from promptlet.errors import DataError

pytestmark = pytest.mark.usefixtures("hugging_face")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read(text: str) -> Split:
    split = load_dataset(text)
    assert isinstance(split, Split)
    return split


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[dict[str, Any]]:
    """The hub's one call: it answers, or raises; what it was asked."""
    import datasets
    import huggingface_hub

    asked: list[dict[str, Any]] = []

    def dataset_info(self: object, repo_id: str, **options: Any) -> SimpleNamespace:
        asked.append({"repo_id": repo_id, **options})
        if error is not None:
            raise error
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    return asked


def in_the_cache_of_datasets(tmp_path: Path, labels: list[int]) -> None:
    """As `datasets` leaves OWNER/NAME in its own cache: made by it from a file, and moved."""
    import datasets

    image_set(labels, 60).to_parquet(str(tmp_path / "source.parquet"))
    datasets.load_dataset("parquet", data_files={"train": str(tmp_path / "source.parquet")})
    home = tmp_path / "hf/datasets"
    made = next(home.glob("parquet/*/*/*/dataset_info.json")).parent
    kept = home / "owner___things/default/0.0.0" / COMMIT
    shutil.copytree(made, kept)
    for path in kept.glob("parquet-*.arrow"):
        path.rename(path.with_name(path.name.replace("parquet-", "things-")))


def test_offline_says_what_was_tried_and_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        read("hf:owner/things@v1")
    message = str(caught.value)
    assert message.startswith(
        "hf:owner/things@v1: the Hugging Face hub cannot be reached (it is set to be off"
    )
    assert "HF_HUB_OFFLINE" in message and "there is no such folder here" in message
    assert "hf download owner/things --repo-type dataset --revision v1 --local-dir FOLDER; " in message
    assert message.endswith("copy it here and give hf:FOLDER")
    assert "\n" not in message


def test_no_network_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = answer(monkeypatch, OSError("Name or service not known"))
    with pytest.raises(DataError, match=r"cannot be reached \(OSError: Name or service not known\)"):
        read("hf:owner/things:small@main")
    assert asked == [{"repo_id": "owner/things", "revision": "main", "timeout": 10.0}]
    assert datasets.config.HF_HUB_OFFLINE is False  # as it was


@pytest.mark.parametrize(
    ("status", "message"), [(404, "has no such data set"), (401, "no such"), (503, "answers 503")]
)
def test_what_the_hub_answers(status: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    class RefusalError(HfHubHTTPError):
        def __init__(self) -> None:
            self.response = SimpleNamespace(status_code=status)  # type: ignore[assignment]

        def __str__(self) -> str:
            return "refused"

    answer(monkeypatch, RefusalError())
    with pytest.raises(DataError, match=message):
        read("hf:owner/things")


def test_a_name_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import HFValidationError

    answer(monkeypatch, HFValidationError("Repo id must be ..."))
    with pytest.raises(
        DataError, match=r"has no such data set .*\(HFValidationError\).* check name and revision"
    ):
        read("hf:owner/a--b")


def test_what_is_downloaded_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    sets = {"train": image_set([0, 1, 2]), "test": image_set([2, 0], 30)}
    folder = save_disk(tmp_path / COMMIT, sets)
    asked: list[Any] = []

    def load(path: str, name: str | None, **options: Any) -> Any:
        asked.append((path, name, options))
        return datasets.load_from_disk(str(folder))

    answer(monkeypatch)
    monkeypatch.setattr(datasets, "__version__", "4.0.0")
    monkeypatch.setattr(datasets, "load_dataset", load)
    split = read("hf:owner/things:small@v1?label=label")
    assert asked == [("owner/things", "small", {"revision": "v1"})]
    assert split.name == "owner/things:small@v1?label=label"
    assert split.rule == f"its splits train, test; commit {COMMIT}"
    assert [item.path.read_bytes() for item in split.test] == [encoded(30), encoded(31)]
    assert read("hf:owner/things:small@v1?label=label") == split
    checkup = examine("hf:owner/things:small@v1?label=label", open_images=True)
    assert (checkup.state, checkup.counts, checkup.rule) == ("complete", (3, 0, 2), split.rule)
    assert checkup.place.is_relative_to(tmp_path / "cache/datasets")
    assert checkup.findings[-1].text == "all 5 images were opened"


def test_older_versions_are_told_not_to_run_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    monkeypatch.setattr(datasets, "load_dataset", lambda *given, **options: asked.append(options) or {})
    answer(monkeypatch)
    with pytest.raises(DataError, match="has the splits none"):
        read("hf:owner/things")
    assert asked == [{"revision": None, "trust_remote_code": False}]


def test_a_program_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def refuse(*given: object, **options: object) -> None:
        raise RuntimeError("Dataset scripts are no longer supported, but found things.py")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    answer(monkeypatch)
    with pytest.raises(DataError, match=r"is never run; .* hf:owner/things@refs/convert/parquet"):
        read("hf:owner/things")


def test_offline_what_was_downloaded_before_is_found(tmp_path: Path) -> None:
    in_the_cache_of_datasets(tmp_path, [2, 0, 1])
    split = read("hf:owner/things")
    assert [item.label for item in split.train] == [2, 0, 1]
    assert [item.path.read_bytes() for item in split.train] == [encoded(60 + i) for i in range(3)]
    assert split.rule == f"its splits train; commit {COMMIT}"
    assert read(f"hf:owner/things@{COMMIT[:8]}").train[0].label == 2
    with pytest.raises(DataError, match="its cache on this machine lacks the data set at that revision, and"):
        read("hf:owner/things@another")
    with pytest.raises(DataError, match="small"):
        read("hf:owner/things:small")


def test_the_doctor_on_what_is_not_there() -> None:
    checkup = examine("hf:owner/things")
    assert checkup.state == "absent"
    assert "the Hugging Face hub cannot be reached" in checkup.findings[0].text
    assert examine("hf:a/b/c/d").state == "absent"
