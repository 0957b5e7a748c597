"""The card: what the hub reads of it, what people read, and that no name of others acts in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlet.hub.card import card_of, is_own_card
from promptlet.hub.escaping import in_markdown
from promptlet.promptfile import PromptFile, load_prompt_file
from promptlet.promptfile.accuracy import Accuracy, accuracies_of, record_of

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b",
    "*bold* _it_ **x**",
    "[link](javascript:alert(1))",
    "![img](http://x.example/a.png)",
    "`code`",
    "# heading",
    "- item",
    "1. first",
    "+ plus",
    "---",
    "name: x\n---\nlicense: gpl",
    "</td></table>",
    "http://evil.example www.evil.example a@b.example",
    "&lt;b&gt; &#60;",
    "\u202egnp.exe",
    "$x^2$ \\(y\\)",
    "~~gone~~ ==mark== :tada: @jane",
    "<!-- comment",
    "```",
    "    indented",
)


def card(prompt: PromptFile, **given: Any) -> str:
    told: dict[str, Any] = {"hub_id": "jane/pets", "title": "pets", "license": None, **given}
    return card_of(prompt, 2000, "fp32", **told)


def front(text: str) -> dict[str, Any]:
    """What the hub reads."""
    _, told, _ = text.split("---\n", 2)
    return dict(yaml.safe_load(told))


@pytest.fixture
def file(prompt: Path) -> PromptFile:
    return load_prompt_file(prompt)


def test_what_the_hub_reads(file: PromptFile) -> None:
    told = front(card(file, license="cc-by-4.0"))
    assert told["library_name"] == "promptlet" and told["pipeline_tag"] == "image-classification"
    assert told["license"] == "cc-by-4.0" and "rlp" in told["tags"] and "base_model" not in told
    assert "license" not in front(card(file)) and "model-index" not in front(card(file))
    clip = front(card(replace(file, backbone="openai/clip-vit-base-patch16")))
    assert clip["base_model"] == "openai/clip-vit-base-patch16" and clip["base_model_relation"] == "adapter"
    for name in ("open_clip:ViT-B-16/laion2b_s34b_b88k", "my-clip", ""):
        assert "base_model" not in front(card(replace(file, backbone=name)))


def test_accuracies_stand_in_both_parts_with_how_they_were_found(file: PromptFile) -> None:
    told = record_of(Accuracy(93.21, 90.04, 95.4, 240, "cv")) | record_of(Accuracy(91.0, 80.0, 97.0, 60))
    assert told == {
        "estimate": "cv: 93.2 % (90.0 to 95.4) of 240 images",
        "test": "91.0 % (80.0 to 97.0) of 60 images",
    }
    text = card(replace(file, training={**file.training, **told}))
    results = front(text)["model-index"][0]["results"]
    assert [one["metrics"][0]["value"] for one in results] == [0.91, 0.932]
    assert "**93.2 %** (90.0 to 95.4) is estimated for other images, by cross-validation" in text
    assert "**91.0 %** (80.0 to 97.0) of 60 test images, which did not teach it" in text
    assert "about 95 of 100 cases" in text and "promptlet evaluate hf://jane/pets YOUR_IMAGES" in text
    assert "None is stored with this prompt" in card(file)


@pytest.mark.parametrize("text", ["93", "", "cv: 93.2 %", "cv: nan % (1.0 to 2.0) of 3 images", None, 0.9])
def test_what_is_written_otherwise_is_no_accuracy(text: Any) -> None:
    assert accuracies_of({"estimate": text}) == {}


def test_it_says_what_it_is_and_what_it_does_not_know(file: PromptFile) -> None:
    text = card(file, license="mit")
    for words in (
        "# pets",
        "A prompt of 264 numbers, which the method `rlp` learned",
        f"`{file.fingerprint}`: another model is refused",
        "2,000 bytes, numbers as fp32, without pickle",
        "annual_crop_land, forest,",
        "| images | 24 |",
        "promptlet predict hf://jane/pets photo.jpg",
        'from_pretrained("jane/pets")',
        "With `--reject`",
        "`mit`, of this prompt",
        "hao2023rlp",
    ):
        assert words in text
    bare = card(replace(file, rejection=None, class_names=(), options={}, training={}, backbone=""))
    for words in (
        "cannot say that it is none of them",
        "saved without class names",
        '--backbone BACKBONE --classes "cat,dog"',
        'class_names=["cat", "dog"]',
        "The file does not tell.",
        "answered as the prompt learned to read names",
        "| backbone | not named |",
        "None was given: ask its author",
    ):
        assert words in bare
    assert "reject=True" not in bare


def test_many_names_are_cut(file: PromptFile) -> None:
    names = tuple(f"name {i}" for i in range(1234))
    text = card(replace(file, class_names=names, rejection=None))
    assert "name 199, and 1,034 more: all of them are in `config.json`" in text and "name 200," not in text


class Seen(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(text: str) -> Seen:
    """As CommonMark with the hub's additions: tables, links by themselves, struck out text."""
    markdown = pytest.importorskip("markdown_it")
    reader = markdown.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Seen(reader.render(text.split("---\n", 2)[2]))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_wherever_it_stands(file: PromptFile, name: str) -> None:
    plain = card(replace(file, class_names=("cat", "dog"), rejection=None, training={"note": "x"}))
    used = replace(file, class_names=(name, "dog"), rejection=None, training={"note": name})
    text = card(used, title=name)
    assert rendered(text).tags == rendered(plain).tags
    from promptlet.characters import visible

    assert " ".join(visible(name).split()) in rendered(text).text
    assert front(text).keys() == front(plain).keys()
    assert front(text)["library_name"] == "promptlet" and "license" not in front(text)
    assert is_own_card(text.encode())


def test_an_address_is_no_link_by_itself() -> None:
    assert in_markdown("www.x.example") == "www&#46;x&#46;example" and "://" not in in_markdown("http://x")
    assert in_markdown("golden retriever, 3.5 kg") == "golden retriever, 3.5 kg"


def test_a_card_knows_whether_somebody_edited_it(file: PromptFile) -> None:
    text = card(file)
    assert is_own_card(text.encode()) and is_own_card(text.replace("\n", "\r\n").encode())
    for other in (
        text.replace("pets", "cats"),
        text + "more",
        text.replace("<!-- promptlet", "<!-- our"),
        "",
    ):
        assert not is_own_card(other.encode())
    assert not is_own_card(b"\xff\xfe")


@pytest.mark.slow
def test_the_lines_of_a_card_run_as_they_are_typed(prompt: Path, fitted: Any, tmp_path: Path) -> None:
    """From a folder, offline; the lines for the hub are the same but for the place."""
    import os
    import shutil

    import promptlet

    fitted[0].save_pretrained(tmp_path / "FOLDER")
    shutil.copy(fitted[1][0], tmp_path / "photo.jpg")
    text = (tmp_path / "FOLDER" / "README.md").read_text()
    python = text.split("```python\n")[1].split("```")[0]
    shell = text.split("```sh\npip install promptlet\n")[1].split("```")[0]
    environment = {**os.environ, "PYTHONPATH": str(Path(promptlet.__file__).parents[1])}
    for command in ([sys.executable, "-c", python], [sys.executable, "-m", *shell.split()]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "reject=True" in python and "class_names" in python and "photo.jpg" in done.stdout
