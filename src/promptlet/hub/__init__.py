"""Prompts on the Hugging Face hub and in folders as it has them: the prompt file, a card, a config.

No pickle travels. Names load when they are asked for; none needs torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.hub.fetching import Fetched, fetch
    from promptlet.hub.folder import CARD, CONFIG, contents_of, prompt_in, write_folder
    from promptlet.hub.places import PROMPT, SCHEME, HubPlace, checked_id, is_place, place_of
    from promptlet.hub.pushing import Pushed, check_push, push

_HOMES = {
    "fetching": ("Fetched", "fetch"),
    "folder": ("CARD", "CONFIG", "contents_of", "prompt_in", "write_folder"),
    "places": ("PROMPT", "SCHEME", "HubPlace", "checked_id", "is_place", "place_of"),
    "pushing": ("Pushed", "check_push", "push"),
}

__all__ = [
    "CARD",
    "CONFIG",
    "PROMPT",
    "SCHEME",
    "Fetched",
    "HubPlace",
    "Pushed",
    "check_push",
    "checked_id",
    "contents_of",
    "fetch",
    "is_place",
    "place_of",
    "prompt_in",
    "push",
    "write_folder",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"promptlet.hub.{home}"), name)
    raise AttributeError(f"module 'promptlet.hub' has no attribute {name!r}")
