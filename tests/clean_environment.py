"""The environment of the tests: what the user's own tells Promptlet and other libraries has no part in them.

Imported before everything that reads the environment; processes that tests start inherit it.
"""

from __future__ import annotations

import contextlib
import locale
import os
import time

OURS = (
    *("PROMPTLET_REALBED", "PROMPTLET_REALCLIP", "PROMPTLET_COOP_SPLITS", "PROMPTLET_CLIP_FOLDER"),
    *("PROMPTLET_SOAK_SECONDS", "PROMPTLET_OVERLOAD_SECONDS"),
)
"""Where the tests find what lies outside the project, and how long the long ones last: they stay."""
PREFIXES = (
    *("PROMPTLET_", "HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "TORCH_", "RAY_", "ONEDNN_"),
    *("DNNL_", "MPL", "MATPLOTLIB", "LC_", "TTY_", "CLICOLOR", "XDG_"),
)
NAMES = (
    *(
        "COLUMNS",
        "LINES",
        "TERM",
        "COLORTERM",
        "NO_COLOR",
        "FORCE_COLOR",
        "PY_COLORS",
        "LANG",
        "LANGUAGE",
        "TZ",
    ),
    *("PYTHONWARNINGS", "PYTHONIOENCODING", "PYTHONUTF8", "NVIDIA_TF32_OVERRIDE", "USE_TORCH", "USE_TF"),
)


def clean() -> None:
    """Take out what is not meant for the tests."""
    for name in list(os.environ):
        if (name.startswith(PREFIXES) or name in NAMES) and name not in OURS:
            del os.environ[name]
    if hasattr(time, "tzset"):
        time.tzset()
    with contextlib.suppress(locale.Error):  # text files without an encoding are read by it
        locale.setlocale(locale.LC_ALL, "C.UTF-8")


clean()
