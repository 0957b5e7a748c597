"""A prompt file and the names it is asked about, checked before a model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.streams import warn
from promptlet.errors import BackboneError, DataError, OptionError, why

if TYPE_CHECKING:
    from promptlet.promptfile import PromptFile


def read_prompt(file: Path, backbone: str | None) -> PromptFile:
    """The prompt file, with a backbone that can be looked for."""
    from promptlet.data.files import here
    from promptlet.promptfile import check_names_known_backbone, load_prompt_file
    from promptlet.promptfile.backbone import is_folder_name

    prompt = load_prompt_file(file)
    if not prompt.is_protected:
        warn(
            f"note: {file} has no digest (format {prompt.format_version}): damage may go unnoticed; "
            "PromptClassifier.load(...).save(...) writes it anew, with one"
        )
    name = prompt.backbone
    if backbone is None and not name:
        raise BackboneError(
            f"{file} was saved without the name of its backbone; give it with --backbone "
            f"(fingerprint {prompt.fingerprint})"
        )
    if backbone is None and is_folder_name(name) and not Path(name).expanduser().is_dir():
        start = "" if Path(name).is_absolute() else f", seen from {here()}"
        raise BackboneError(
            f"{file} was made with the backbone in the folder {name!r}, which is not here{start}; give the "
            f"same model with --backbone FOLDER (fingerprint {prompt.fingerprint})"
        )
    if backbone is None:
        check_names_known_backbone(prompt, file)
    elif is_folder_name(backbone) and not Path(backbone).expanduser().is_dir():
        raise BackboneError(f"--backbone {backbone}: there is no such folder; check the path")
    return prompt


def names_of(classes: str | None, classes_file: Path | None) -> tuple[str, ...] | None:
    """The names to answer among; None where the prompt's own are meant."""
    from promptlet.data import check_class_names

    if classes is not None and classes_file is not None:
        raise OptionError("--classes and --classes-file both name the classes; give one of the two")
    if classes_file is not None:
        return check_class_names(_lines(classes_file), f"--classes-file {classes_file}")
    if classes is None:
        return None
    file = classes.strip().removeprefix("@")
    if _is_file_name(file):
        raise OptionError(
            f"--classes {classes}: this is the name of a file, and names of classes are expected; "
            f"did you mean --classes-file {file}?"
        )
    return check_class_names([name for name in map(str.strip, classes.split(",")) if name], "--classes")


def _is_file_name(text: str) -> bool:
    try:
        is_there = Path(text).is_file()
    except (OSError, ValueError):  # longer than a name of a file can be
        return False
    is_text = text.lower().endswith((".txt", ".csv", ".json")) and "," not in text
    return is_text or (is_there and "," not in text)


def _lines(path: Path) -> list[str]:
    from promptlet.data.files import read_text

    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise OptionError(
            f"--classes-file {path}: not in UTF-8 ({error.reason}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise OptionError(
            f"--classes-file {path} cannot be read ({why(error)}); give a text file with one name a line"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def check_names(
    prompt: PromptFile, file: Path, names: tuple[str, ...] | None, otherwise: str = ""
) -> tuple[str, ...]:
    """The names to answer among. otherwise: what else can be done where the file has none."""
    if names is None and not prompt.class_names:
        raise DataError(
            f'{file}: this prompt was saved without class names; give --classes "a,b,c", or --classes-file'
            f"{otherwise}"
        )
    from promptlet.data import check_class_names

    return names if names is not None else check_class_names(prompt.class_names, f"{file}: its class names")


def check_rule_of_names(new_names: str | None) -> None:
    """It is one of those that there are; whether the method has a choice is known once it is loaded."""
    if new_names is not None:
        from promptlet.methods.new_names import check_rule

        check_rule(new_names)
