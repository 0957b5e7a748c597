"""Data sets: read them, draw shots from them, cut them in halves, cache their features. Loads no torch."""

from promptlet.data.cache.features import CacheStats, FeatureCache, choose_cache
from promptlet.data.catalog import DATASETS, DatasetSpec
from promptlet.data.halves import base_new, select_classes, together
from promptlet.data.hugging_face.reader import read_hugging_face
from promptlet.data.images.checks import find_unreadable, without_unreadable
from promptlet.data.images.formats import IMAGE_SUFFIXES
from promptlet.data.images.opening import ImageSource, content_hash, list_images, open_image
from promptlet.data.items import SPLIT_NAMES, Item, Split, check_class_names, clean_class_name
from promptlet.data.load import load_dataset, read_own
from promptlet.data.readers.coop_split import read_coop_split
from promptlet.data.readers.feature_file import FeatureFile, read_feature_file, write_feature_file
from promptlet.data.readers.folder import ignored_files, read_folder
from promptlet.data.readers.table import read_table
from promptlet.data.sampling import SAMPLERS, sample_shots, short_classes

__all__ = [
    "DATASETS",
    "IMAGE_SUFFIXES",
    "SAMPLERS",
    "SPLIT_NAMES",
    "CacheStats",
    "DatasetSpec",
    "FeatureCache",
    "FeatureFile",
    "ImageSource",
    "Item",
    "Split",
    "base_new",
    "check_class_names",
    "choose_cache",
    "clean_class_name",
    "content_hash",
    "find_unreadable",
    "ignored_files",
    "list_images",
    "load_dataset",
    "open_image",
    "read_coop_split",
    "read_feature_file",
    "read_folder",
    "read_hugging_face",
    "read_own",
    "read_table",
    "sample_shots",
    "select_classes",
    "short_classes",
    "together",
    "without_unreadable",
    "write_feature_file",
]
