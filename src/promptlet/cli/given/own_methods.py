"""``promptlet --import``: methods of one's own, from a Python file or a module."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from promptlet.errors import OptionError


def import_methods(given: str) -> None:
    """Import a file (``my_method.py``) or a module (``my_package.my_method``), also from the folder of now.

    It makes its methods known by `promptlet.methods.register`. Raises OptionError where it cannot be
    imported, with the reason, or has none.
    """
    is_file = given.endswith(".py")
    path = Path(given)
    if is_file and not path.is_file():
        raise OptionError(f"--import {given}: there is no such file")
    if is_file and not path.stem.isidentifier():
        raise OptionError(
            f"--import {given}: Python cannot import a file of that name; give it one like my_method.py"
        )
    folder, name = (path.resolve().parent, path.stem) if is_file else (Path.cwd(), given)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    from promptlet.methods import registered

    before, is_new = registered(), name not in sys.modules
    try:
        module = import_module(name)
    except Exception as error:  # whatever stands in it
        raise OptionError(
            f"--import {given} cannot be imported ({type(error).__name__}: {error}); give a Python file, as "
            "in my_method.py, or a module that can be imported from here"
        ) from error
    if is_file and Path(module.__file__ or "").resolve() != path.resolve():
        raise OptionError(
            f"--import {given}: there is another module called {name!r} already ({module.__file__}); rename "
            "the file"
        )
    if is_new and registered() == before:
        raise OptionError(
            f"--import {given} registers no method; write @promptlet.methods.register above its class"
        )
