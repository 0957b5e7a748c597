"""What is known of published rows whose settings were chosen per data set, or on test images.

It is of a method's own code or paper; a row that others quote or made anew under the same name may differ. Of
names that are not here nothing of the kind is known, which is not to say that there is nothing. Not here, as
there is no row of it: PromptSRC in few-shot, whose average of 50 epochs is around the 30th (deviation 30) on
some data sets, around the 45th (5) on others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptlet.protocols.records.measures import BASE_TO_NEW, CROSS_DATASET, FEW_SHOT
from promptlet.report.published.numbers import SOURCE_DATASET, Published
from promptlet.report.statistics.chosen import ON_TEST, PER_DATASET, Choice
from promptlet.report.statistics.comparisons import AVERAGE


@dataclass(frozen=True)
class Known:
    """A choice, and where it was read.

    datasets: those that it is of, and of the averages over them; none: of all. shots: the same.
    """

    kind: str
    why: str
    source: str
    datasets: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()

    def is_of(self, one: Published) -> bool:
        """Whether the choice is in a published number."""
        at_dataset = not self.datasets or one.dataset in (AVERAGE, *self.datasets)
        return at_dataset and (not self.shots or one.shots in self.shots)


IMAGENET = (SOURCE_DATASET,)
TIP = Known(
    PER_DATASET,
    "alpha and beta searched on validation images of each data set, on grids of its own",
    "configs of gaopengcuhk/Tip-Adapter",
)
TIP_ON_IMAGENET = Known(
    ON_TEST,
    "alpha and beta searched on ImageNet's test images",
    "main_imagenet.py of gaopengcuhk/Tip-Adapter",
    IMAGENET,
)
TIP_F = Known(ON_TEST, "the epoch that is best on test images is kept", "issue 11 of gaopengcuhk/Tip-Adapter")
PROBE = Known(
    PER_DATASET, "the penalty searched on validation images of each data set", "lpclip of KaiyangZhou/CoOp"
)
GDA = (
    Known(PER_DATASET, "alpha chosen on the full validation set of each data set", "mrflogs/ICLR24"),
    Known(ON_TEST, "alpha chosen on ImageNet's test images", "mrflogs/ICLR24", IMAGENET),
)
PROGRAD = Known(
    PER_DATASET,
    "weight 0.8 on Flowers102, DTD and EuroSAT, 1 elsewhere",
    "BeierZhu/Prompt-align",
    ("oxford_flowers", "dtd", "eurosat"),
    (8, 16),
)
PROMPTKD = Known(
    PER_DATASET,
    "weights of the distillation differ between data sets, and the best checkpoint on validation is kept",
    "zhengli97/PromptKD",
)
COPROMPT = Known(
    PER_DATASET, "tested after 5 epochs on Food101, 8 elsewhere", "ShuvenduRoy/CoPrompt", ("food101",)
)
CLIP_SVD = Known(
    PER_DATASET,
    "20 epochs on Caltech101, DTD, EuroSAT and OxfordPets, 10 elsewhere",
    "configs/base2new of HealthX-Lab/CLIP-SVD",
    ("caltech101", "dtd", "eurosat", "oxford_pets"),
)
ANCHOROPT = Known(PER_DATASET, "loss weights and temperature differ between data sets", "zhengli97/ATPrompt")

KNOWN: Mapping[str, Mapping[str, tuple[Known, ...]]] = {
    BASE_TO_NEW: {
        "GDA": GDA,
        "CoPrompt": (COPROMPT,),
        "CLIP-SVD": (CLIP_SVD,),
        "PromptKD (ViT-L/14 teacher, unlabeled target images)": (PROMPTKD,),
        "CoOp+AnchorOPT": (ANCHOROPT,),
        "CoCoOp+AnchorOPT": (ANCHOROPT,),
        "MaPLe+AnchorOPT": (ANCHOROPT,),
        "DePT+AnchorOPT": (ANCHOROPT,),
    },
    FEW_SHOT: {
        "GDA": GDA,
        "Tip-Adapter": (TIP, TIP_ON_IMAGENET),
        "Tip-Adapter-F": (TIP, TIP_ON_IMAGENET, TIP_F),
        "Linear probe": (PROBE,),
        "ProGrad": (PROGRAD,),
    },
    CROSS_DATASET: {"PromptKD (transductive)": (PROMPTKD,)},
}
"""By protocol and published name."""


def choices_of(one: Published) -> list[Choice]:
    """What is known of how the settings of a published number were chosen."""
    return [
        Choice(kind=known.kind, why=f"{known.why}: {known.source}")
        for known in KNOWN.get(one.protocol, {}).get(one.name, ())
        if known.is_of(one)
    ]
