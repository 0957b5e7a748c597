"""2SFS: layer norms first, then a classifier (Farina et al., CVPR 2025, arXiv 2503.11609)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.backbones.libraries.changed.norms import WHAT, learn_norms, merge_norms
from promptlet.backbones.libraries.changed.towers import merged_image_tower
from promptlet.errors import OptionError, check_option
from promptlet.methods.features.by_class import check_rows
from promptlet.methods.inputs import TrainingData
from promptlet.methods.method import IMAGES, MethodInfo, frozen
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.weights.changed_towers import TOWERS, ChangedTowers, both_or_one, by_place
from promptlet.papers import bibtex

FIRST, SECOND = "first", "second"
IN_LAYERS, ALL = "layers", "all"
SHARE = 0.6
