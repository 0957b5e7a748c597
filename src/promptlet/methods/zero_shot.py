"""Zero-shot classification with one hand-written template (CLIP, arXiv 2103.00020, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.method import Method, MethodInfo, frozen


@final
class ZeroShot(Method):
    """Class features of ``template`` with each name put in; the data set's own template in the benchmarks."""

    info = MethodInfo(
        name="zero_shot",
        title="Zero-shot CLIP",
        summary="a hand-written template, nothing learned",
        paper="arXiv 2103.00020",
        trains="nothing",
        unseen_classes=True,
        options=frozen(template="a photo of a {}."),
        bibtex="""@inproceedings{radford2021clip,
  title={Learning Transferable Visual Models From Natural Language Supervision},
  author={Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and others},
  booktitle={ICML}, year={2021}}""",
    )

    def __init__(
        self, backbone: Backbone, class_names: Sequence[str], template: str = "a photo of a {}."
    ) -> None:
        if not isinstance(template, str) or template.count("{}") != 1:
            raise OptionError(f"template={template!r} must hold {{}} exactly once, where the class name goes")
        super().__init__(backbone, class_names)
        self.template = template

    def class_features(self) -> Tensor:
        texts = [self.template.replace("{}", name) for name in self.class_names]
        return F.normalize(self.backbone.text.encode_texts(texts).float(), dim=-1)
