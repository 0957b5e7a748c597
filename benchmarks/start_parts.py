"""One `predict`, step by step: the CPU seconds of each. Run by `benchmarks.start` in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

BEGAN = time.process_time()
"""Of the interpreter, and of nothing else: this comes before all other imports."""
OWN, LIBRARY = "own", "library"
BEFORE = """
import sklearn.base, sklearn.utils.validation, scipy.sparse
from promptlet.backbones import load
load.load_clip = lambda *_: None
"""
"""What makes a process read every folder by the library."""
CHILD = {
    OWN: "from promptlet.cli import main; main()",
    LIBRARY: f"{BEFORE}\nfrom promptlet.cli import main; main()",
}


def main(way: str, source: str, prompt: str, image: str) -> dict[str, float]:
    """Seconds of CPU by part."""
    clock = Clock()
    import torch  # noqa: F401

    clock.tick("torch")
    import promptlet.cli.app
    import promptlet.own_images.answering  # noqa: F401
    from promptlet.classifier import PromptLearner

    clock.tick("promptlet")
    _other_imports(way)
    clock.tick("other imports")
    backbone = _loaded(way, source, clock)
    learner = PromptLearner.load(prompt, backbone)
    learner.cache = False
    learner._answers.scorer(learner.class_names_, None)
    clock.tick("class features")
    learner.predict([image])
    clock.tick("decode, encode")
    return {"interpreter": BEGAN, **clock.seconds, "cpu_s": time.process_time()}


class Clock:
    """CPU seconds since the last tick, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def tick(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = now - self.last
        self.last = now


def _other_imports(way: str) -> None:
    if way == LIBRARY:
        import sklearn.base  # noqa: F401
        from transformers import AutoModel, AutoTokenizer, CLIPModel, CLIPTokenizer  # noqa: F401
    else:
        import safetensors  # noqa: F401
        import tokenizers  # noqa: F401


def _loaded(way: str, source: str, clock: Clock) -> Any:
    """The backbone; of the library, weights and tokenizer are not told apart."""
    from pathlib import Path

    import torch

    from promptlet.backbones import load_backbone
    from promptlet.backbones.clip.folder import CONFIG, WEIGHTS, _model
    from promptlet.backbones.clip.settings import settings_of
    from promptlet.backbones.clip.tokens import tokens_of
    from promptlet.backbones.libraries.transformers import load_transformers
    from promptlet.mini.names import MINI, MODEL_FOLDER

    folder = MODEL_FOLDER if source == MINI else Path(source)
    cpu, float32 = torch.device("cpu"), torch.float32
    if way == LIBRARY:
        backbone = load_transformers(str(folder), cpu, float32, source)
        clock.tick("weights")
        backbone.check()
        clock.tick("checks")
        return backbone
    clock.tick("weights")
    settings = settings_of(json.loads((folder / CONFIG).read_text()))
    _model(folder / WEIGHTS, settings)
    clock.tick("weights")
    tokens_of(folder, source)
    clock.tick("tokenizer")
    before = clock.seconds["weights"] + clock.seconds["tokenizer"]
    loaded = load_backbone(source, "cpu")  # both again, and all that is checked
    clock.tick("checks")
    clock.seconds["checks"] = max(0.0, clock.seconds["checks"] - before)
    return loaded


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
