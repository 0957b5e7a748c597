"""Tokens: who is told by one, what the file may hold, and that nothing but exactly a token is one."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlet.errors import OptionError
from promptlet.serve.access import keeping, tokens
from promptlet.serve.access.keeping import Entry, add_token, read_entries
from promptlet.serve.access.tokens import LOCAL, Caller, Tokens, Unauthorised

SECRET = "a" * 43
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
GOOD = f'[[token]]\nname = "acme"\nid = "acme0001"\nsha256 = "{DIGEST}"\nprompts = ["pets", "acme-*"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    write(path, GOOD)
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    now = time.time_ns()  # clocks of file systems tick slowly
    os.utime(path, ns=(now, now))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def wait_until(condition: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_token_that_is_made_is_known_and_shown_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    token, entry = add_token(path, "acme", ("acme-*",))
    other, _ = add_token(path, "operations", admin=True)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8")
    assert token not in text and token.rpartition("_")[2] not in text and other not in text
    known = Tokens.read(path)
    assert len(known) == 2 and entry.id in text
    assert known.caller(f"Bearer {token}") == Caller("acme", False, ("acme-*",))
    assert known.caller(f"bearer {other}") == Caller("operations", True)
    assert re.fullmatch(r"pl_[0-9a-f]{12}_[0-9A-Za-z]{43}", token)


def test_prompts_that_may_be_asked() -> None:
    caller = Caller("acme", patterns=("pets", "acme-*", "v[12]-?"))
    asked = ("pets", "acme-", "acme-cars", "v1-a", "Pets", "pets2", "other-acme-cars", "v3-a", "v1-ab", "")
    assert [name for name in asked if caller.may(name)] == ["pets", "acme-", "acme-cars", "v1-a"]
    assert Caller("root", is_admin=True, patterns=("pets",)).may("cars")
    assert LOCAL.may("anything") and not LOCAL.is_admin
    assert not Caller("plain", patterns=("a.b",)).may("acb")


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "Bearer", "Bearer ", f"pl_acme0001_{SECRET}", f"Basic pl_acme0001_{SECRET}"),
        *(f"Bearer pl_acme0001_{SECRET}x", f"Bearer pl_acme0002_{SECRET}", f"Bearer pl_acme0001_{SECRET} "),
        *(
            f"Bearer pl_acme0001_{SECRET}\n",
            f"Bearer  x pl_acme0001_{SECRET}",
            f"Bearer PL_acme0001_{SECRET}",
        ),
        *(f"Bearer pl_ACME0001_{SECRET}", f"Bearer\tpl_acme0001_{SECRET}", "Bearer " + "pl_a" * 100_000),
        *(f"Bearer pl_acme0001_{SECRET}, Bearer pl_acme0001_{SECRET}", f"Bearer pl__{SECRET}"),
    ],
)
def test_what_is_no_token_is_refused_in_words(file: Path, header: str | None) -> None:
    with pytest.raises(Unauthorised, match="token") as error:
        Tokens.read(file).caller(header)
    assert error.value.status == 401 and SECRET not in str(error.value)


ALPHABET = st.sampled_from([*"Bearer pl_acme0001", "a", "_", " ", "\t", "\n", "\x00", "é", "٣", "A"])


@given(
    header=st.one_of(
        st.text(max_size=80),
        st.text(ALPHABET, max_size=120),
        st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)).map(
            lambda parts: f"{parts[0]}Bearer {parts[1]}pl_acme0001_{SECRET}{parts[2]}"
        ),
    )
)
def test_a_header_never_crashes_and_is_a_caller_only_if_it_is_a_token(header: str) -> None:
    known = Tokens(Path("none"), {"acme0001": Entry("acme", "acme0001", DIGEST)}, None, lambda: 0.0)
    is_token = re.fullmatch(rf"[Bb][Ee][Aa][Rr][Ee][Rr] +pl_acme0001_{SECRET}", header) is not None
    try:
        caller = known.caller(header)
    except Unauthorised:
        assert not is_token
    else:
        assert is_token and caller.name == "acme"


def test_an_unknown_id_is_compared_as_a_wrong_secret_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(tokens.hmac, "compare_digest", spy)
    known = Tokens.read(file)
    said = set()
    for one in ("acme0001_" + "b" * 43, "unknown1_" + "b" * 43):
        with pytest.raises(Unauthorised) as error:
            known.caller(f"Bearer pl_{one}")
        said.add(str(error.value))
    assert compared == [(32, 32), (32, 32)] and len(said) == 1
    with pytest.raises(Unauthorised):
        known.caller("Bearer pl_unknown1_" + "nobody".ljust(43, "x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("prompts", "prompt"), "'prompt' is not known; allowed: .* Did you mean 'prompts'"),
        (GOOD.replace("[[token]]", "[[tokens]]"), "'tokens' is not known; it holds .* Did you mean 'token'"),
        (GOOD + GOOD, "token 2 has the id acme0001 of another"),
        (GOOD.replace("acme0001", "acme_1"), "id='acme_1' is none"),
        (GOOD.replace(DIGEST, "aa"), "sha256 must be"),
        (GOOD.replace(DIGEST, DIGEST.upper()), "sha256 must be"),
        (GOOD.replace('"pets"', '"../pets"'), "'../pets' is no name or pattern"),
        (GOOD.replace('"pets"', '"[pets"'), "'\\[pets' is no name or pattern"),
        (GOOD.replace('"pets"', "3"), "3 is no name or pattern"),
        (GOOD.replace('"pets"', '"pets.prompt"'), "prompts are named without .prompt"),
        (GOOD.replace('["pets", "acme-*"]', "[]"), "prompts must be a list"),
        (GOOD.replace('["pets", "acme-*"]', '"pets"'), "prompts must be a list"),
        (GOOD + "admin = 1\n", "admin=1 is not allowed; give true or false"),
        (GOOD.replace('name = "acme"\n', ""), "name=None is not allowed"),
        (GOOD.replace('"acme"', '"a\\nb"'), "is not allowed"),
        ("token = 3\n", "token must be a list"),
        ("token = [1]\n", "token 1 is no table"),
        ("[[token]\n", "is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_words(file: Path, text: str, said: str) -> None:
    write(file, text)
    with pytest.raises(OptionError, match=said):
        read_entries(file)


def test_files_that_cannot_be_read_or_that_others_may_write(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OptionError, match="cannot be read"):
        Tokens.read(file.parent / "none.toml")
    with pytest.raises(OptionError, match="cannot be read"):
        Tokens.read(file.parent)
    file.chmod(0o620)
    with pytest.raises(OptionError, match=r"may be written by others.*chmod 600"):
        Tokens.read(file)
    for mode, who in ((0o640, "its group"), (0o644, "everybody")):
        caplog.clear()
        file.chmod(mode)
        assert len(Tokens.read(file)) == 1 and f"may be read by {who}: chmod 600" in caplog.text


def test_nothing_is_added_to_a_damaged_file(file: Path) -> None:
    write(file, "[[token]\n")
    with pytest.raises(OptionError, match="is no TOML"):
        add_token(file, "acme")
    assert file.read_text() == "[[token]\n"
    with pytest.raises(OptionError, match="cannot be written"):
        add_token(file.parent / "none" / "tokens.toml", "acme")
    for name, prompts in (("", ("*",)), ('a"b', ("*",)), ("acme", ()), ("acme", ('a"',))):
        with pytest.raises(OptionError):
            add_token(file.parent / "new.toml", name, prompts)
    assert not (file.parent / "new.toml").exists()


def test_a_line_without_an_end_is_ended_and_a_full_disk_leaves_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, GOOD.rstrip("\n"))
    add_token(file, "second")
    assert [entry.name for entry in read_entries(file).values()] == ["acme", "second"]
    before, whole = file.read_bytes(), keeping.os.write
    monkeypatch.setattr(keeping.os, "write", lambda number, data: whole(number, data[:5]))
    with pytest.raises(OptionError, match="the disk is full"):
        add_token(file, "third")
    assert file.read_bytes() == before


def test_a_changed_file_is_read_again_and_a_damaged_one_is_not_taken(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    known = Tokens.read(file, clock)
    write(file, GOOD.replace("acme0001", "acme0002"))
    header = f"Bearer pl_acme0001_{SECRET}"
    assert known.caller(header).name == "acme"  # within a second nothing is looked at
    clock.now += 1.5
    with contextlib.suppress(Unauthorised):  # by now it may have been read
        known.caller(header)
    wait_until(lambda: "acme0002" in known._known)
    with pytest.raises(Unauthorised):
        known.caller(header)
    write(file, "[[token]\n")
    for _ in range(3):
        clock.now += 1.5
        assert known.caller(header.replace("acme0001", "acme0002")).name == "acme"
        wait_until(lambda: not known._one_reader.locked() and known._seen == keeping.identity(file))
    file.unlink()
    known.refresh()
    assert len(known) == 1
    said = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2 and all("the tokens stay as they were" in one for one in said)
    write(file, GOOD)
    known.refresh()
    assert known.caller(header).name == "acme"


@pytest.mark.slow
def test_thousands_of_tokens(file: Path) -> None:
    entries = {f"{k:08x}": Entry(f"tenant {k}", f"{k:08x}", DIGEST, (f"t{k}-*",)) for k in range(2_000)}
    write(file, "".join(map(keeping._text, entries.values())))
    known = Tokens.read(file)
    assert read_entries(file) == entries
    assert known.caller(f"Bearer pl_{1999:08x}_{SECRET}").may("t1999-pets")
