"""Vectors for other programs, read back by their own readers: the ten best are the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_vectors import COUNT, DIM, ODD, drawn, ten_best

from promptlet.errors import MissingExtraError, OptionError
from promptlet.search.file import Stored
from promptlet.search.stores.choose import WRITERS, Store


def test_faiss_reads_it_and_finds_the_same(stored: Stored, asked: np.ndarray, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    out = tmp_path / "photos.faiss"
    assert Store("faiss", str(out)).write(stored) == str(out)
    index = faiss.read_index(str(out))
    assert (index.ntotal, index.d) == (COUNT, DIM)
    _, rows = index.search(asked[None], 10)
    assert rows[0].tolist() == ten_best(stored, asked)
    beside = json.loads((tmp_path / "photos.faiss.json").read_text())
    assert beside["paths"][:4] == list(ODD[:4])
    assert beside["paths"][4] == "caf\\udce9.jpg"
    assert (beside["backbone"], beside["fingerprint"]) == (stored.facts.backbone, "a-b-c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos.faiss", "photos.faiss.json"]


@pytest.mark.slow
def test_qdrant_reads_it_and_finds_the_same(stored: Stored, asked: np.ndarray, tmp_path: Path) -> None:
    package = pytest.importorskip("qdrant_client")
    out = tmp_path / "photos"
    Store("qdrant", str(out), name="mine").write(stored)
    client = package.QdrantClient(path=str(out))
    try:
        assert client.count("mine").count == COUNT
        points = client.query_points("mine", query=asked.tolist(), limit=10).points
        assert [point.id for point in points] == ten_best(stored, asked)
        payload = client.retrieve("mine", [0, 1, 3, 4])
        assert [one.payload["path"] for one in payload] == [ODD[0], ODD[1], ODD[3], "caf\\udce9.jpg"]
        assert client.get_collection("mine").config.metadata["fingerprint"] == "a-b-c"
    finally:
        client.close()


def test_plain_arrays_hold_all(stored: Stored, tmp_path: Path) -> None:
    out = tmp_path / "photos.npz"
    Store("npz", str(out)).write(stored)
    with np.load(out, allow_pickle=False) as held:
        np.testing.assert_array_equal(held["features"], stored.features)
        assert held["paths"][3] == ODD[3]
        assert str(held["backbone"]) == stored.facts.backbone


def test_the_script_holds_what_pgvectors_own_type_reads(stored: Stored, tmp_path: Path) -> None:
    pgvector = pytest.importorskip("pgvector")
    out = tmp_path / "photos.sql"
    Store("pgvector", str(out), name="mine").write(stored)
    text = out.read_text(encoding="utf-8")
    head, _, rest = text.partition('COPY "mine" (id, path, embedding) FROM stdin;\n')
    assert "CREATE EXTENSION IF NOT EXISTS vector;" in head
    assert (
        f'CREATE TABLE "mine" (id bigint PRIMARY KEY, path text NOT NULL, embedding vector({DIM}) NOT NULL);'
        in head
    )
    rows, end, _ = rest.partition("\\.\nCOMMIT;\n")
    lines = rows.splitlines()
    assert (len(lines), bool(end)) == (COUNT, True)
    number, path, vector = lines[0].split("\t")
    assert (number, path) == ("0", "tab\\there.jpg")
    found = pgvector.Vector.from_text(vector).to_numpy()
    np.testing.assert_allclose(found, stored.features[0].astype("f4"), rtol=1e-5)


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_is_written_over_unasked(kind: str, tmp_path: Path) -> None:
    pytest.importorskip(
        {"qdrant": "qdrant_client"}.get(kind, kind) if kind in ("qdrant", "faiss") else "numpy"
    )
    out, stored = tmp_path / "x", drawn(8)
    Store(kind, str(out)).write(stored)
    with pytest.raises(OptionError, match="exists already; give another name, or --force"):
        Store(kind, str(out)).write(stored)
    Store(kind, str(out), force=True).write(stored)
    other = tmp_path / "other"
    if kind == "qdrant":
        other.write_text("")
    else:
        other.mkdir()
    with pytest.raises(OptionError, match="of another kind"):
        Store(kind, str(other), force=True).write(stored)
    assert not list(tmp_path.glob(".*"))


def test_a_folder_of_photos_is_never_replaced(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    store = Store("qdrant", str(tmp_path / "photos"), force=True)
    for act in (store.check, lambda: store.write(drawn(8))):
        with pytest.raises(OptionError, match=r"no folder of Qdrant: it holds a\.jpg, so it is not replaced"):
            act()
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


def test_the_file_beside_an_index_of_faiss_is_not_written_over_either(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    (tmp_path / "x.json").write_text("mine")
    with pytest.raises(OptionError, match=r"x\.json exists already"):
        Store("faiss", str(tmp_path / "x")).write(drawn(8))
    assert (tmp_path / "x.json").read_text() == "mine" and not (tmp_path / "x").exists()


def test_what_cannot_be_is_refused_before_any_work(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"export='fais' is not known.*Did you mean 'faiss'"):
        Store("fais", str(tmp_path / "x")).check()
    with pytest.raises(OptionError, match="is no name of a table"):
        Store("npz", str(tmp_path / "x"), name='a"; DROP TABLE b').check()
    with pytest.raises(OptionError, match="does not exist; create it first"):
        Store("npz", str(tmp_path / "absent" / "x")).check()


@pytest.mark.parametrize(
    ("kind", "package", "out"),
    [("faiss", "faiss", "x"), ("qdrant", "qdrant_client", "x"), ("pgvector", "psycopg", "postgresql:///x")],
)
def test_a_library_that_is_missing_is_named(
    kind: str, package: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    place = out if ":" in out else str(tmp_path / out)
    with pytest.raises(MissingExtraError, match=rf"pip install 'promptlet\[{kind}\]'"):
        Store(kind, place).check()


def test_a_failure_leaves_nothing_behind(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faiss: Any = pytest.importorskip("faiss")

    def fail(_index: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(faiss, "write_index", fail)
    with pytest.raises(OptionError, match="No space left on device"):
        Store("faiss", str(tmp_path / "x")).write(stored)
    assert [path.name for path in tmp_path.iterdir()] == []
