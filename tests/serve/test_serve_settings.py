"""Settings: which place counts, sizes, what is said of a wrong one, and the page that documents them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet.errors import OptionError
from promptlet.serve import settings
from promptlet.serve.settings import MIB, NAMES, OPTIONS, ServeSettings, read_settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "serve-settings.md"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"PROMPTLET_SERVE_{name.upper()}", raising=False)


def refusal(given: dict[str, Any], config: Path | None = None) -> str:
    with pytest.raises(OptionError) as error:
        read_settings(given, config)
    return str(error.value)


def test_the_command_line_goes_before_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(
        'port = 1\nbatch = 1\nmax_images = 1\ncors_origins = ["https://a.org"]\n', encoding="utf-8"
    )
    monkeypatch.setenv("PROMPTLET_SERVE_PORT", "2")
    monkeypatch.setenv("PROMPTLET_SERVE_BATCH", "2")
    monkeypatch.setenv("PROMPTLET_SERVE_HOST", "")  # as composed files leave it: not given
    read = read_settings({"port": "3", "backbone": None}, file)
    assert (read.port, read.batch, read.max_images, read.queue_images) == (3, 2, 1, 256)
    assert read.host == "127.0.0.1" and read.backbone is None and read.cors_origins == ("https://a.org",)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2048", 2048),
        (2048, 2048),
        ("64MB", 64 * MIB),
        ("1.5 GiB", 3 * 2**29),
        ("8kb", 8192),
        ("4096 B", 4096),
    ],
)
def test_sizes(text: object, number: int) -> None:
    assert read_settings({"max_body_bytes": text}).max_body_bytes == number


def test_lists_and_words_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLET_SERVE_CORS_ORIGINS", "https://a.org, http://localhost:3000")
    monkeypatch.setenv("PROMPTLET_SERVE_ALLOW_URLS", "true")
    monkeypatch.setenv("PROMPTLET_SERVE_LOG_LEVEL", "WARNING")
    read = read_settings({})
    assert read.cors_origins == ("https://a.org", "http://localhost:3000")
    assert read.allow_urls is True and read.log_level == "warning"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": "99999"}, "--port='99999' is not allowed: input should be less than or equal to 65535"),
        ({"max_body_bytes": "64 apples"}, "--set max_body_bytes='64 apples' is not allowed: give a number"),
        ({"tenant_share": "0"}, "greater than 0"),
        ({"wait_seconds": "nan"}, "--set wait_seconds='nan' is not allowed"),
        ({"drain_seconds": "inf"}, "--set drain_seconds='inf' is not allowed"),
        ({"log_level": "loud"}, "'debug', 'info', 'warning' or 'error'"),
        ({"cors_origins": "example.com"}, "is no origin; give https://example.com"),
        ({"max_image": "3"}, "--set max_image is no setting. Did you mean 'max_images'?"),
        ({"zzz": "3"}, "--set zzz is no setting. All of them: docs/reference/serve-settings.md."),
    ],
)
def test_a_wrong_one_is_told_with_what_is_allowed(given: dict[str, Any], said: str) -> None:
    assert said in refusal(given)


def test_it_is_told_where_a_wrong_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "serve.toml"
    file.write_text("max_body_byte = 3\n", encoding="utf-8")
    assert refusal({}, file) == f"{file}: max_body_byte is no setting. Did you mean 'max_body_bytes'?"
    file.write_text("batch = 0\n", encoding="utf-8")
    assert refusal({}, file).startswith(f"{file}: batch=0 is not allowed")
    monkeypatch.setenv("PROMPTLET_SERVE_BATCH", "many")
    assert refusal({}).startswith("PROMPTLET_SERVE_BATCH='many' is not allowed")
    monkeypatch.setenv("PROMPTLET_SERVE_BATCH", "1")
    monkeypatch.setenv("PROMPTLET_SERVE_MAX_BODY_BYTE", "1")
    said = "PROMPTLET_SERVE_MAX_BODY_BYTE is no setting. Did you mean 'PROMPTLET_SERVE_MAX_BODY_BYTES'?"
    assert refusal({}) == said


def test_what_kubernetes_sets_for_a_service_of_this_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLET_SERVE_PORT", "tcp://10.0.0.7:8080")
    assert "enableServiceLinks: false" in refusal({})
    monkeypatch.setenv("PROMPTLET_SERVE_SERVICE_HOST", "10.0.0.7")
    assert "enableServiceLinks: false" in refusal({})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal({}, tmp_path / "none.toml")
    assert "cannot be read" in refusal({}, tmp_path)
    file = tmp_path / "serve.toml"
    file.write_bytes(b"port = \n")
    assert "is no TOML: " in refusal({}, file)
    file.write_bytes(b"port = 1 # \xff\n")
    assert "is not in UTF-8" in refusal({}, file)
    file.write_bytes(b"a = " + b"[" * 100_000)
    assert "is no TOML: " in refusal({}, file)


def test_secrets_of_an_address_are_not_shown() -> None:
    assert read_settings({"prompts": "s3://key:secret@bucket/a?token=x"}).shown_prompts == "s3://bucket/a"
    assert read_settings({"prompts": "my@folder/b"}).shown_prompts == "my@folder/b"


def test_the_page_is_fresh_and_tells_each() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings.page(), (
        "run: python -m promptlet.serve.settings > docs/reference/serve-settings.md"
    )
    assert all(field.description for field in ServeSettings.model_fields.values())
    assert set(OPTIONS) <= set(NAMES)
