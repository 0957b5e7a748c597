"""The words of the page: every key in both languages, with the same gaps to fill."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.page
GAP = re.compile(r"\{(\w+)\}")
FORMS = ("one", "other")


def forms(words: Any) -> dict[str, str]:
    return words if isinstance(words, dict) else {"other": words}


def test_both_languages_say_the_same(teach: Any, opened: Any) -> None:
    page = opened(teach)
    languages = page.evaluate("async () => (await import('/static/app/words.js')).LANGUAGES")
    english, german = (languages[code]["words"] for code in ("en", "de"))
    assert english.keys() == german.keys() and len(english) > 100
    for key, words in english.items():
        assert forms(words).keys() == forms(german[key]).keys(), key
        gaps = {form: set(GAP.findall(text)) for form, text in forms(words).items()}
        assert all(form in FORMS and text.strip() for form, text in forms(german[key]).items()), key
        for form, text in forms(german[key]).items():
            assert set(GAP.findall(text)) | {"count"} == gaps[form] | {"count"}, key


def test_the_browsers_language_is_taken_and_another_kept(teach: Any, opened: Any) -> None:
    page = opened(teach, locale="de-DE")
    assert page.locator("html").get_attribute("lang") == "de"
    page.get_by_role("combobox", name="Sprache").select_option("en")
    page.get_by_role("combobox", name="Language").wait_for()
    page.reload()
    page.get_by_role("combobox", name="Language").wait_for()
    assert page.locator("html").get_attribute("lang") == "en"
