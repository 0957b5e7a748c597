from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from promptlet.data import FeatureCache
from promptlet.data.cache.features import USE_TIME_STEP, default_folder
from promptlet.errors import DataError, OptionError

Vector = npt.NDArray[np.float32]


def vector(number: int, dim: int = 64) -> Vector:
    """A vector that tells its number."""
    return np.arange(dim, dtype=np.float32) * np.float32(0.5) + np.float32(number)


def batch(numbers: range, dim: int = 64) -> dict[tuple[str, str], Vector]:
    return {(f"hash-{number}", "centre"): vector(number, dim) for number in numbers}


def check_all_true(found: dict[tuple[str, str], Vector], dim: int = 64) -> None:
    for (image, _), value in found.items():
        assert np.array_equal(value, vector(int(image.split("-")[1]), dim))


def database_of(cache: FeatureCache) -> sqlite3.Connection:
    return sqlite3.connect(cache.path, isolation_level=None)


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs ``code`` with this file's ``batch`` at hand."""
    prelude = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    prelude += "from test_data_feature_cache import *\n"
    command = [sys.executable, "-c", prelude + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output_of(process: subprocess.Popen[str], expected_code: int = 0) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == expected_code, errors
    return output


def test_round_trip(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "new" / "folder")
    vectors = batch(range(5))
    assert cache.get_many("f", list(vectors)) == {}
    assert cache.put_many("f", vectors) == 5
    found = FeatureCache(tmp_path / "new" / "folder").get_many("f", [*vectors, ("hash-9", "centre")])
    assert found.keys() == vectors.keys()
    assert all(value.dtype == np.float32 and value.flags.writeable for value in found.values())
    check_all_true(found)
    assert cache.get_many("another", list(vectors)) == {}
    assert cache.get_many("f", [("hash-1", "flipped")]) == {}
    assert cache.get_many("f", []) == {}
    assert cache.put_many("f", {}) == 0
    assert cache.notes == []


def test_replacing_narrowing_and_other_shapes(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    key = ("caf\u00e9", "v")
    cache.put_many("f", {key: np.ones(3, dtype=np.float64)})
    cache.put_many("f", {key: np.array([1, 2], dtype=np.float16)})
    assert cache.get_many("f", [key])[key].tolist() == [1, 2]
    for wrong in (np.ones((1, 3)), np.ones(0), np.ones(())):
        with pytest.raises(DataError, match=r"stores vectors \(D,\)"):
            cache.put_many("f", {key: wrong})
    assert cache.put_many("f", {("x", "v"): np.array([1.0, np.nan]), ("y", "v"): np.array([1e300])}) == 0
    assert cache.notes == ["features that are not finite (NaN or infinity) were not stored in the cache"]
    with pytest.raises(OptionError, match="max_bytes=1 is not allowed; allowed: at least 1,048,576"):
        FeatureCache(tmp_path, max_bytes=1)


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "c"))
    assert FeatureCache().path.parent == tmp_path / "c"
    monkeypatch.delenv("PROMPTLET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert default_folder().name == "promptlet"


def test_stats_and_clear(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    assert (cache.stats().entries, cache.stats().bytes, cache.clear()) == (0, 0, 0)
    assert not cache.path.exists()
    cache.put_many("a", batch(range(300), 512))
    cache.put_many("b", batch(range(2)))
    stats = cache.stats()
    assert (stats.path, stats.entries, stats.by_fingerprint) == (cache.path, 302, {"a": 300, "b": 2})
    assert stats.bytes == cache.path.stat().st_size > 300 * 2048
    assert stats.bytes < 300 * 2048 * 1.3
    assert cache.clear("a") == 300
    assert cache.stats().bytes < stats.bytes / 5
    check_all_true(cache.get_many("b", list(batch(range(2)))))
    assert cache.clear() == 2


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    now = [0.0]
    limit = 2**20
    cache = FeatureCache(tmp_path, max_bytes=limit, clock=lambda: now[0])
    for step in range(12):
        now[0] += USE_TIME_STEP
        cache.put_many("f", batch(range(step * 50, step * 50 + 50), 512))
        assert len(cache.get_many("f", list(batch(range(10))))) == 10  # kept in use
        assert cache.stats().bytes <= limit
    assert cache.get_many("f", list(batch(range(10, 100)))) == {}
    last = cache.get_many("f", list(batch(range(550, 600))))
    assert len(last) == 50
    check_all_true(last, 512)


def test_a_batch_above_the_limit_leaves_a_file_within_it(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, max_bytes=2**20)
    cache.put_many("f", batch(range(2000), 512))
    assert cache.stats().bytes <= 2**20
    assert 300 < cache.stats().entries < 450


def test_reading_fresh_entries_writes_nothing(tmp_path: Path) -> None:
    now = [1e9]
    cache = FeatureCache(tmp_path, clock=lambda: now[0])
    cache.put_many("f", batch(range(3)))
    before = cache.path.read_bytes()
    cache.get_many("f", list(batch(range(3))))
    assert cache.path.read_bytes() == before
    now[0] += USE_TIME_STEP
    cache.get_many("f", list(batch(range(3))))
    assert cache.path.read_bytes() != before


@pytest.mark.parametrize(
    "change", ["payload = zeroblob(256)", "checksum = x'00'", "payload = 'text'", "payload = x''"]
)
def test_a_damaged_entry_is_dropped(tmp_path: Path, change: str) -> None:
    cache = FeatureCache(tmp_path)
    cache.put_many("f", batch(range(3)))
    with database_of(cache) as database:
        database.execute(f"UPDATE vectors SET {change} WHERE image = 'hash-1'")
    database.close()
    assert sorted(image for image, _ in cache.get_many("f", list(batch(range(3))))) == ["hash-0", "hash-2"]
    assert "some entries were damaged; they were dropped" in cache.notes[0]
    assert cache.stats().entries == 2


def test_a_good_vector_under_another_key_is_found_out(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put_many("f", batch(range(2)))
    with database_of(cache) as database:
        database.execute("UPDATE vectors SET image = 'hash-9' WHERE image = 'hash-1'")
    database.close()
    assert cache.get_many("f", [("hash-9", "centre")]) == {}


def test_flipped_payload_bytes_in_the_file(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put_many("f", batch(range(20)))
    data = cache.path.read_bytes()
    position = data.index(vector(7).tobytes()) + 100
    cache.path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
    found = cache.get_many("f", list(batch(range(20))))
    assert len(found) == 19
    assert ("hash-7", "centre") not in found
    check_all_true(found)


@pytest.mark.slow
def test_any_flipped_byte_gives_true_vectors_or_none(tmp_path: Path) -> None:
    good = FeatureCache(tmp_path / "good")
    good.put_many("f", batch(range(30)))
    data = good.path.read_bytes()
    rng = np.random.default_rng(0)
    for trial, position in enumerate([*range(100), *rng.integers(100, len(data), 150).tolist()]):
        cache = FeatureCache(tmp_path / str(trial), busy_seconds=0.1)
        cache.path.parent.mkdir()
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        cache.path.write_bytes(damaged)
        check_all_true(cache.get_many("f", list(batch(range(30)))))
        cache.put_many("f", batch(range(40)))
        check_all_true(cache.get_many("f", list(batch(range(40)))))
        cache.stats()
        cache.clear()


@pytest.mark.parametrize("damage", ["header", "text", "cut", "schema"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: str) -> None:
    cache = FeatureCache(tmp_path)
    cache.put_many("f", batch(range(50)))
    data = cache.path.read_bytes()
    journal = cache.path.with_name(cache.path.name + "-journal")
    if damage == "schema":
        with database_of(cache) as database:
            database.execute("DROP TABLE vectors")
        database.close()
    else:
        broken = {
            "header": b"XX" + data[2:],
            "text": b"this is no database " * 99,
            "cut": data[: len(data) // 2],
        }
        cache.path.write_bytes(broken[damage])
        journal.write_bytes(b"left over")
    assert cache.get_many("f", list(batch(range(50)))) == {}
    (note,) = cache.notes
    assert f"it was set aside as {cache.path.name}.damaged and a new cache begun" in note
    assert cache.path.with_name(cache.path.name + ".damaged").is_file()
    assert not journal.exists()
    assert cache.put_many("f", batch(range(3))) == 3
    check_all_true(cache.get_many("f", list(batch(range(3)))))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = FeatureCache(tmp_path / "file" / "cache")
    for _ in range(2):
        assert cache.put_many("f", batch(range(3))) == 0
        assert cache.get_many("f", list(batch(range(3)))) == {}
    assert (cache.stats().entries, cache.clear()) == (0, 0)
    (note,) = cache.notes
    assert "going on without the feature cache" in note


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.path.mkdir()
    assert cache.put_many("f", batch(range(3))) == 0
    assert "going on without the feature cache (unable to open database file)" in cache.notes[0]
    assert cache.path.is_dir()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_a_read_only_cache_can_be_read() -> None:
    code = """
cache = FeatureCache(sys.argv[1])
cache.get_many("f", list(batch(range(3))))  # so that all is imported that is needed
if os.geteuid() == 0:  # whom permissions do not bind
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = len(cache.get_many("f", list(batch(range(3)))))
print(json.dumps([found, cache.put_many("f", batch(range(3, 6))), cache.notes]))
"""
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(folder)
        cache.put_many("f", batch(range(3)))
        cache.path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            found, stored, notes = json.loads(output_of(start(code, folder)))
        finally:
            Path(folder).chmod(0o755)
    assert (found, stored) == (3, 0) and "going on without" in notes[-1]


def test_a_locked_file(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, busy_seconds=0.05)
    cache.put_many("f", batch(range(3)))
    database = database_of(cache)
    database.execute("BEGIN EXCLUSIVE")
    assert cache.put_many("f", batch(range(3, 6))) == 0
    assert cache.get_many("f", list(batch(range(3)))) == {}
    database.close()
    assert cache.notes == [f"{cache.path}: going on without the feature cache (database is locked)"]
    assert len(cache.get_many("f", list(batch(range(6))))) == 3


@pytest.mark.skipif(os.name != "posix", reason="needs setrlimit")
def test_a_full_disk(tmp_path: Path) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
cache = FeatureCache(sys.argv[1])
stored = [cache.put_many("f", batch(range(i * 20, i * 20 + 20), 512)) for i in range(10)]
found = cache.get_many("f", list(batch(range(200), 512)))
check_all_true(found, 512)
print(json.dumps([stored, len(found), cache.notes]))
"""
    stored, found, notes = json.loads(output_of(start(code, tmp_path)))
    assert stored[0] == 20
    assert stored[-1] == 0
    assert found == sum(stored)
    assert "going on without the feature cache" in notes[0]


@pytest.mark.slow
def test_several_processes_write_and_read_at_once(tmp_path: Path) -> None:
    code = """
cache = FeatureCache(sys.argv[1])
first = int(sys.argv[2])
for i in range(first, first + 60, 6):
    assert cache.put_many("f", batch(range(i, i + 12))) == 12
    check_all_true(cache.get_many("f", list(batch(range(100)))))
print(len(cache.notes))
"""
    processes = [start(code, tmp_path, first) for first in (0, 0, 30, 60)]
    assert [output_of(process).strip() for process in processes] == ["0"] * 4
    cache = FeatureCache(tmp_path)
    found = cache.get_many("f", list(batch(range(200))))
    assert len(found) == cache.stats().entries == 126
    check_all_true(found)


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_at_most_one_batch(tmp_path: Path) -> None:
    code = """
cache = FeatureCache(sys.argv[1], max_bytes=2**20)
print("ready", flush=True)
i = 0
while True:
    assert cache.put_many("f", batch(range(i % 800, i % 800 + 25), 512)) == 25
    i += 25
"""
    rng = np.random.default_rng(0)
    for _ in range(6):
        process = start(code, tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(float(rng.uniform(0.0, 0.15)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cache = FeatureCache(tmp_path)
        found = cache.get_many("f", list(batch(range(825), 512)))
        check_all_true(found, 512)
        assert cache.put_many("g", batch(range(3))) == 3
        assert cache.notes == []
        with database_of(cache) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
    assert found


def test_threads_share_one_cache(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    wrong: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for i in range(first, first + 30, 10):
                assert cache.put_many("f", batch(range(i, i + 10))) == 10
                check_all_true(cache.get_many("f", list(batch(range(120)))))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(30 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.stats().entries == 120
