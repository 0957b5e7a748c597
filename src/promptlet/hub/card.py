"""The card of a prompt: README.md, with what the hub reads at its beginning and what people read below."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from promptlet.errors import OptionError, shown
from promptlet.hub.escaping import in_markdown
from promptlet.hub.places import SCHEME
from promptlet.mini.names import MINI
from promptlet.papers import bibtex
from promptlet.promptfile import PromptFile, is_known_name
from promptlet.promptfile.accuracy import ESTIMATE, TEST, Accuracy, accuracies_of

if TYPE_CHECKING:
    from jinja2 import Template

SHOWN_NAMES = 200
TASK = "image-classification"
WAYS = {
    "cv": "by cross-validation: parts of the images that taught it were held back in turn",
    "holdout": "by a hold-out: a part of the images that taught it was held back once",
    "undrawn": "from images that were there and did not teach it",
}
RULES = {"learned": "as the prompt learned to read names", "zero-shot": "as the backbone alone reads names"}
FACTS = ("images", "shots", "views", "seed", "schedule", "epochs", "lr", "optimizer", "version")
"""Those of its training that the card names first."""
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,63}")
_MARK = re.compile(r"<!-- promptlet card ([0-9a-f]{16})[^\n]*-->\n*\Z")


def check_license(license: str | None) -> None:
    """It is written as the hub's are; which of them there are, the hub knows. Raises OptionError."""
    if license is not None and not _LICENSE.fullmatch(license):
        raise OptionError(
            f"license={shown(license)} is none of the hub's; give its short name in small letters, such as "
            "apache-2.0, mit, cc-by-4.0 or other"
        )


def card_of(
    prompt: PromptFile, size: int, precision: str, *, hub_id: str | None, title: str, license: str | None
) -> str:
    """The card of a prompt file of so many bytes. Raises OptionError for a licence that is none."""
    check_license(license)
    accuracies = accuracies_of(prompt.training)
    learned = sum(tensor.size for tensor in prompt.tensors.values())
    names = [in_markdown(name) for name in prompt.class_names]
    text = _template().render(
        front=front_matter(license, prompt, title, accuracies),
        title=in_markdown(title),
        prompt=prompt,
        learned=f"{learned:,}",
        size=f"{size:,}",
        precision=precision,
        backbone=in_markdown(prompt.backbone),
        backbone_page=f"https://huggingface.co/{prompt.backbone}" if _on_hub(prompt.backbone) else "",
        is_mini=prompt.backbone == MINI,
        follows=is_known_name(prompt.backbone),
        names=names[:SHOWN_NAMES],
        more=max(len(names) - SHOWN_NAMES, 0),
        accuracies=[_sentence(key, found) for key, found in accuracies.items()],
        training=_training(prompt),
        hub_id=hub_id,
        place=SCHEME + hub_id if hub_id else "FOLDER",
        share=_share(prompt),
        rule=_rule(prompt),
        license=license,
        paper=bibtex(prompt.method),
    )
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n\n"
    return (
        f"{text}<!-- promptlet card {_digest(text)}: whoever edits this page keeps it over later pushes -->\n"
    )


def is_own_card(data: bytes) -> bool:
    """Whether it is a card as Promptlet wrote it, which nobody has edited since."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    mark = _MARK.search(text)
    return mark is not None and mark[1] == _digest(text[: mark.start()])


def front_matter(
    license: str | None,
    prompt: PromptFile | None = None,
    title: str = "",
    accuracies: dict[str, Accuracy] | None = None,
) -> str:
    """What the hub reads, between its lines of ``---``."""
    from huggingface_hub import EvalResult, ModelCardData

    facts: dict[str, Any] = {"license": license, "library_name": "promptlet", "pipeline_tag": TASK}
    if prompt is not None:
        facts["tags"] = ["promptlet", "prompt-learning", "few-shot", "clip", prompt.method.replace("_", "-")]
        if _on_hub(prompt.backbone):
            facts |= {"base_model": prompt.backbone, "base_model_relation": "adapter"}
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type="own-images",
            dataset_name=_data_name(key, found),
            dataset_split="test" if key == TEST else "train",
            metric_type="accuracy",
            metric_value=round(found.accuracy / 100, 4),
        )
        for key, found in (accuracies or {}).items()
    ]
    if results:
        facts |= {"metrics": ["accuracy"], "model_name": title, "eval_results": results}
    return f"---\n{ModelCardData(**facts)}\n---\n"


def _data_name(key: str, found: Accuracy) -> str:
    kind = "test images" if key == TEST else f"estimate on other images ({found.way})"
    return f"the author's own: {kind}"


def _on_hub(backbone: str) -> bool:
    return is_known_name(backbone) and "/" in backbone and ":" not in backbone


def _sentence(key: str, found: Accuracy) -> str:
    interval = f"**{found.accuracy:.1f} %** ({found.low:.1f} to {found.high:.1f})"
    if key == TEST:
        return f"{interval} of {found.images:,} test images, which did not teach it, are answered rightly."
    how = WAYS.get(found.way, "from the images that were given")
    return f"{interval} is estimated for other images, {how} ({found.images:,} images asked about)."


def _training(prompt: PromptFile) -> dict[str, str]:
    training = {key: value for key, value in prompt.training.items() if key not in (ESTIMATE, TEST)}
    first = {key: training.pop(key) for key in FACTS if key in training}
    return {in_markdown(key): in_markdown(value) for key, value in (first | training).items()}


def _share(prompt: PromptFile) -> str:
    """The most of one's own images that may be accepted, in percent; nothing where none are told apart."""
    return "" if prompt.rejection is None else f"{max(prompt.rejection.thresholds):g}"


def _rule(prompt: PromptFile) -> str:
    """How names that were not taught are answered; nothing where the file cannot say."""
    if not prompt.is_context or not prompt.tensors:
        return ""
    rule = str(prompt.options.get("new_names", "learned"))
    return RULES.get(rule, "by a blend of what the prompt learned and what the backbone alone knows")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    source = (files("promptlet.hub") / "templates" / "card.md").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    return environment.from_string(source)
