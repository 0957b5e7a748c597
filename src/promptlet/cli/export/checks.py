"""What `promptlet export` checks before a model is loaded. All raise OptionError with what to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from promptlet.cli.outputs import check_file, check_folder
from promptlet.errors import OptionError, check_option

KINDS = ("vectors", "onnx", "torch", "openvino")
OF_FOLDERS = ("precision", "images", "least_agreement")
"""Options that mean nothing for class vectors."""


@dataclass(frozen=True)
class Asked:
    """What was given, None where it was not."""

    file: Path | None
    to: str | None
    out: Path | None
    precision: str | None
    images: Path | None
    least_agreement: float | None
    classes: tuple[str, ...] | None
    new_names: str | None
    backbone: str | None
    force: bool

    def checked(self) -> tuple[str, Path, Path]:
        """What is made, of which prompt file, and where."""
        if self.file is None:
            raise OptionError(
                "give a prompt file to export, or --check FOLDER: an exported folder to look at"
            )
        if self.to is None:
            raise OptionError(f"give --to, what is to be made: {', '.join(KINDS)}")
        kind = check_option("--to", self.to, KINDS)
        if self.out is None:
            what = "NAME.npz, the file" if kind == "vectors" else "FOLDER, the folder"
            raise OptionError(f"give --out {what} to make")
        if kind == "vectors":
            for name in OF_FOLDERS:
                if getattr(self, name) is not None:
                    raise OptionError(f"{_option(name)} is for folders; leave it out with --to vectors")
        elif self.least_agreement is not None and self.images is None:
            raise OptionError("--least-agreement is about --images; give both, or neither")
        return kind, self.file, self.out


def check_place(kind: str, target: Path) -> None:
    """It can be written there; whether something is there already is told by who writes it."""
    if kind == "vectors":
        check_file(target)
    elif target.parent.is_dir():
        check_folder(target.parent)


def check_folder_alone(folder: Path, asked: Asked) -> None:
    """Nothing is given beside the folder of --check."""
    given = [one.name for one in fields(asked) if getattr(asked, one.name) not in (None, False)]
    if given:
        what = str(asked.file) if given[0] == "file" else _option(given[0])
        raise OptionError(f"--check looks at {folder} and exports nothing; leave out {what}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
