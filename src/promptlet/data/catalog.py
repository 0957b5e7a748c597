"""The data sets known by name, as facts: CoOp's layout of them, how many images, where from.

Counts of caltech101, oxford_pets, stanford_cars, oxford_flowers, dtd, eurosat and ucf101 are those of CoOp's
split files themselves; of the others, what their makers publish, cut by CoOp's rule. The digests are of the
split files that were read for this.
"""

from __future__ import annotations

from dataclasses import dataclass

COOP_GUIDE = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"
DRIVE = "https://drive.google.com/file/d"
SEE_SOURCE = "see source"

RULES = {
    "pool": "all images cut 50/20/30 per class",
    "trainval": "the official trainval cut 80/20 per class, the official test",
    "lists": "the official train, val and test lists",
    "imagenet": "the official train and val folders, val serving as val and test",
    "test": "every image is a test image",
}
"""How CoOp makes train, val and test of a data set, where it ships no split file."""
DRAWN_RULES = ("pool", "trainval")
"""Those that involve chance: without CoOp's split file the parts are others than CoOp's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """One data set in CoOp's layout.

    Below a root: ``<folder>/<split_file>`` ("" where CoOp has none) and ``<folder>/<image_folder>/``, where
    the split's paths start; ``image_folders`` are those that must be there when they are others.
    ``counts``: images of train, val and test. ``rule``: of `RULES`; ``annotations``: the files that it reads,
    below ``folder``. ``template``: CoOp's hand-written prompt. ``page``, ``get``: where the images come from
    and what to do. ``split_digest``: `content_digest` of CoOp's split file, where it is known.
    ``also_called``: other names that the image folder has come with.
    ``marks``, ``to_add``: of another layout, see `promptlet.data.known.places.Place`.
    """

    name: str
    title: str
    folder: str
    image_folder: str
    class_count: int
    counts: tuple[int, int, int]
    rule: str
    page: str
    get: str
    template: str = "a photo of a {}."
    split_file: str = ""
    split_url: str = ""
    split_digest: str = ""
    image_folders: tuple[str, ...] = ()
    also_called: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    licence: str = SEE_SOURCE
    marks: tuple[str, ...] = ()
    to_add: str = ""

    @property
    def needed_folders(self) -> tuple[str, ...]:
        """The image folders, below ``folder``."""
        return self.image_folders or (self.image_folder,)

    @property
    def source_note(self) -> str:
        """Where images and split come from, in one line."""
        split = f"; {self.split_file}: {self.split_url}" if self.split_file else ""
        return f"{self.page}{split}; layout: {COOP_GUIDE}"


NATURAL = (
    DatasetSpec(
        name="imagenet",
        title="ImageNet",
        folder="imagenet",
        image_folder="images",
        image_folders=("images/train", "images/val"),
        annotations=("classnames.txt",),
        class_count=1000,
        counts=(1_281_167, 50_000, 50_000),
        rule="imagenet",
        page="https://image-net.org",
        get="register, then unpack train and val of ILSVRC 2012 so that images/train and images/val hold "
        f"1,000 folders each (n01440764, ...); classnames.txt: {DRIVE}/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF",
        licence="terms of access: research, not commercial",
    ),
    DatasetSpec(
        name="caltech101",
        title="Caltech101",
        folder="caltech-101",
        split_file="split_zhou_Caltech101.json",
        split_url=f"{DRIVE}/1hyarUivQE36mY6jSomru6Fjd-JzwcCzN",
        split_digest="bb6c7659e1744948",
        image_folder="101_ObjectCategories",
        class_count=100,
        counts=(4128, 1649, 2465),
        rule="pool",
        page="https://data.caltech.edu/records/20086",
        get="unpack 101_ObjectCategories.tar.gz; BACKGROUND_Google and Faces_easy are passed over",
    ),
    DatasetSpec(
        name="oxford_pets",
        title="OxfordPets",
        folder="oxford_pets",
        split_file="split_zhou_OxfordPets.json",
        split_url=f"{DRIVE}/1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs",
        split_digest="3848fed498f4d526",
        image_folder="images",
        annotations=("annotations/trainval.txt", "annotations/test.txt"),
        template="a photo of a {}, a type of pet.",
        class_count=37,
        counts=(2944, 736, 3669),
        rule="trainval",
        page="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        get="unpack images.tar.gz and annotations.tar.gz",
        licence="CC BY-SA 4.0",
    ),
    DatasetSpec(
        name="stanford_cars",
        title="StanfordCars",
        folder="stanford_cars",
        split_file="split_zhou_StanfordCars.json",
        split_url=f"{DRIVE}/1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT",
        split_digest="c113f0d577f1b0f9",
        image_folder="",
        image_folders=("cars_train", "cars_test"),
        annotations=(
            "devkit/cars_train_annos.mat",
            "devkit/cars_meta.mat",
            "cars_test_annos_withlabels.mat",
        ),
        class_count=196,
        counts=(6509, 1635, 8041),
        rule="trainval",
        page="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        get="unpack cars_train.tgz, cars_test.tgz and car_devkit.tgz and add cars_test_annos_withlabels.mat; "
        "the links are reported dead (github.com/pytorch/vision/issues/7545), so look for a copy",
    ),
    DatasetSpec(
        name="oxford_flowers",
        title="Flowers102",
        folder="oxford_flowers",
        split_file="split_zhou_OxfordFlowers.json",
        split_url=f"{DRIVE}/1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT",
        split_digest="04b6b392a01f439b",
        image_folder="jpg",
        annotations=("imagelabels.mat",),
        template="a photo of a {}, a type of flower.",
        class_count=102,
        counts=(4093, 1633, 2463),
        rule="pool",
        page="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        get="unpack 102flowers.tgz and add imagelabels.mat",
    ),
    DatasetSpec(
        name="food101",
        title="Food101",
        folder="food-101",
        split_file="split_zhou_Food101.json",
        split_url=f"{DRIVE}/1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl",
        image_folder="images",
        template="a photo of {}, a type of food.",
        class_count=101,
        counts=(50_500, 20_200, 30_300),
        rule="pool",
        page="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
        get="unpack food-101.tar.gz",
        licence="images of Foodspotting: scientific fair use (license_agreement.txt)",
    ),
    DatasetSpec(
        name="fgvc_aircraft",
        title="FGVCAircraft",
        folder="fgvc_aircraft",
        image_folder="images",
        annotations=(
            "variants.txt",
            "images_variant_train.txt",
            "images_variant_val.txt",
            "images_variant_test.txt",
        ),
        template="a photo of a {}, a type of aircraft.",
        class_count=100,
        counts=(3334, 3333, 3333),
        rule="lists",
        page="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
        get="unpack fgvc-aircraft-2013b.tar.gz and rename its data/ to fgvc_aircraft/",
    ),
    DatasetSpec(
        name="sun397",
        title="SUN397",
        folder="sun397",
        split_file="split_zhou_SUN397.json",
        split_url=f"{DRIVE}/1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq",
        image_folder="SUN397",
        annotations=("ClassName.txt", "Training_01.txt", "Testing_01.txt"),
        class_count=397,
        counts=(15_880, 3970, 19_850),
        rule="trainval",
        page="https://vision.princeton.edu/projects/2010/SUN/",
        get="unpack SUN397.tar.gz and Partitions.zip; where the links are dead (github.com/KaiyangZhou/CoOp/"
        "issues/90), look for a copy",
    ),
    DatasetSpec(
        name="dtd",
        title="DTD",
        folder="dtd",
        split_file="split_zhou_DescribableTextures.json",
        split_url=f"{DRIVE}/1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x",
        split_digest="fe17395389d4e5de",
        image_folder="images",
        template="{} texture.",
        class_count=47,
        counts=(2820, 1128, 1692),
        rule="pool",
        page="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        get="unpack dtd-r1.0.1.tar.gz",
    ),
    DatasetSpec(
        name="eurosat",
        title="EuroSAT",
        folder="eurosat",
        split_file="split_zhou_EuroSAT.json",
        split_url=f"{DRIVE}/1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o",
        split_digest="3932eeebcd11c5d4",
        image_folder="2750",
        also_called=("EuroSAT_RGB",),
        template="a centered satellite photo of {}.",
        class_count=10,
        counts=(13_500, 5400, 8100),
        rule="pool",
        page="https://github.com/phelber/EuroSAT",
        get="unpack the RGB version: EuroSAT.zip, which holds 2750/, or zenodo.org's newer EuroSAT_RGB.zip, "
        "which holds EuroSAT_RGB/; both are read. EuroSAT_MS, of 13 bands, is not",
        licence="MIT",
    ),
    DatasetSpec(
        name="ucf101",
        title="UCF101",
        folder="ucf101",
        split_file="split_zhou_UCF101.json",
        split_url=f"{DRIVE}/1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y",
        split_digest="78acf5a96dbfab9f",
        image_folder="UCF-101-midframes",
        annotations=(
            "ucfTrainTestlist/classInd.txt",
            "ucfTrainTestlist/trainlist01.txt",
            "ucfTrainTestlist/testlist01.txt",
        ),
        template="a photo of a person doing {}.",
        class_count=101,
        counts=(7639, 1898, 3783),
        rule="trainval",
        page="https://www.crcv.ucf.edu/data/UCF101.php",
        get="the middle frames of the videos, which CoOp made: UCF-101-midframes.zip, "
        f"{DRIVE}/10Jqome3vtUA2keJkNanAiFpgbyC9Hc2O",
    ),
)
"""The eleven of base-to-new and few-shot."""


def _shifted(
    name: str, title: str, folder: str, images: str, classes: int, count: int, page: str
) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=title,
        folder=folder,
        image_folder=images,
        annotations=("classnames.txt",),
        class_count=classes,
        counts=(0, 0, count),
        rule="test",
        page=page,
        get=f"unpack it so that {folder}/{images}/ holds its {classes:,} class folders; classnames.txt is "
        "ImageNet's, and is also found in imagenet/ beside it",
    )


SHIFTED = (
    _shifted(
        "imagenetv2",
        "ImageNetV2",
        "imagenetv2",
        "imagenetv2-matched-frequency-format-val",
        1000,
        10_000,
        "https://github.com/modestyachts/ImageNetV2",
    ),
    _shifted(
        "imagenet_sketch",
        "ImageNet-Sketch",
        "imagenet-sketch",
        "images",
        1000,
        50_889,
        "https://github.com/HaohanWang/ImageNet-Sketch",
    ),
    _shifted(
        "imagenet_a",
        "ImageNet-A",
        "imagenet-adversarial",
        "imagenet-a",
        200,
        7500,
        "https://github.com/hendrycks/natural-adv-examples",
    ),
    _shifted(
        "imagenet_r",
        "ImageNet-R",
        "imagenet-rendition",
        "imagenet-r",
        200,
        30_000,
        "https://github.com/hendrycks/imagenet-r",
    ),
)
"""The four of domain-shift: only to test on."""

DATASETS: dict[str, DatasetSpec] = {spec.name: spec for spec in (*NATURAL, *SHIFTED)}
"""By name, in the order in which tables list them."""


def spec_of_split_file(file_name: str) -> DatasetSpec | None:
    """The data set whose CoOp split file has this name, if it is a known one."""
    return next(
        (spec for spec in DATASETS.values() if spec.split_file and spec.split_file == file_name), None
    )
