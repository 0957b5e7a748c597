"""The families of things that the mini world draws: one file each, with the interface of `scene.Family`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from promptlet.mini.families import (
    creatures,
    flags,
    flowers,
    land,
    objects,
    people,
    plates,
    scenes,
    textures,
    vehicles,
)

if TYPE_CHECKING:
    from promptlet.mini.scene import Family

FAMILIES: dict[str, Family] = {
    name: cast("Family", module)
    for name, module in {
        "objects": objects,
        "creatures": creatures,
        "vehicles": vehicles,
        "flowers": flowers,
        "plates": plates,
        "flags": flags,
        "scenes": scenes,
        "textures": textures,
        "land": land,
        "people": people,
    }.items()
}
