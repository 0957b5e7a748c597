"""The grammar of hf: sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptlet.data.hugging_face.source import HubSource, is_hub_source, local_path, looks_saved, parse_source
from promptlet.errors import DataError, OptionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:uoft-cs/cifar100", HubSource(place="uoft-cs/cifar100", is_local=False)),
        ("hf:mnist", HubSource(place="mnist", is_local=False)),
        (
            "hf:a.b/c_d:full@v1.0",
            HubSource(place="a.b/c_d", is_local=False, config="full", revision="v1.0"),
        ),
        (
            "hf:a/b@refs/convert/parquet?label=fine_label",
            HubSource(place="a/b", is_local=False, revision="refs/convert/parquet", label="fine_label"),
        ),
        (
            "hf:a/b?label=x%26y%3Dz&image=img+1",
            HubSource(place="a/b", is_local=False, image="img 1", label="x&y=z"),
        ),
    ],
)
def test_on_the_hub(text: str, expected: HubSource) -> None:
    parsed = parse_source(text)
    assert parsed == expected
    assert parse_source(parsed.text) == parsed
    assert local_path(text) is None


def test_on_this_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my: set@home?"
    folder.mkdir()
    (tmp_path / "things.parquet").touch()
    monkeypatch.chdir(tmp_path)
    for text in (str(folder), f"hf:{folder}", "hf:my: set@home?"):
        assert parse_source(text) == HubSource(place=text.removeprefix("hf:"), is_local=True)
    assert parse_source(Path("things.parquet")) == HubSource(place="things.parquet", is_local=True)
    (tmp_path / "things").mkdir()
    chosen = parse_source("hf:things:small?label=a")
    assert chosen == HubSource(place="things", is_local=True, config="small", label="a")
    assert chosen.text == f"hf:{tmp_path / 'things'}:small?label=a"
    assert local_path("hf:things?label=a") == Path("things") == local_path("things")


def test_names_in_tables(tmp_path: Path) -> None:
    (tmp_path / "things.v2").mkdir()
    (tmp_path / "things.parquet").touch()
    names = {
        "hf:uoft-cs/cifar100": "uoft-cs/cifar100",
        "hf:a/b:small@v1?label=x&image=y": "a/b:small@v1?label=x",
        f"hf:{tmp_path / 'things.v2'}": "things.v2",
        f"hf:{tmp_path / 'things.parquet'}?label=z": "things?label=z",
    }
    assert {text: parse_source(text).name for text in names} == names


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("hf:", OptionError, "write hf:OWNER/NAME[:CONFIG][@REVISION], hf:FOLDER"),
        ("hf:a/b@", OptionError, "is no source of Hugging Face data"),
        ("hf:./gone", DataError, "there is no such file or folder"),
        ("hf:a/b/c", DataError, "there is no such file or folder"),
        ("hf:/a/b", DataError, "there is no such file or folder"),
        ("hf:gone.parquet", DataError, "there is no such file or folder"),
        ("hf:" + "a" * 5000 + "/..", DataError, "there is no such file or folder"),
        (
            "hf:a/b?lable=x",
            OptionError,
            "the option 'lable' is not known; allowed: image, label. Did you mean",
        ),
        ("hf:a/b?label", OptionError, "'label' is not ?image=COLUMN&label=COLUMN"),
        ("hf:a/b?label=x&label=y", OptionError, "each of them at most once"),
    ],
)
def test_what_is_not_the_grammar(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_source(text)
    assert message in str(caught.value)


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is on this disk and has no revisions; leave out @main"):
        parse_source(f"hf:{tmp_path}@main")


def test_only_the_prefix_makes_it_one(tmp_path: Path) -> None:
    assert is_hub_source("hf:a/b") and is_hub_source(Path("hf:a/b"))
    assert not is_hub_source("a/b") and not is_hub_source("hf")


def test_folders_that_datasets_has_written(tmp_path: Path) -> None:
    assert not looks_saved(tmp_path)
    for number, name in enumerate(("state.json", "dataset_dict.json", "x.parquet", "data/x.arrow")):
        folder = tmp_path / str(number)
        (folder / "data").mkdir(parents=True)
        assert not looks_saved(folder)
        (folder / name).touch()
        assert looks_saved(folder)
