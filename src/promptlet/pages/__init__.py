"""Self-contained HTML pages: a template and plain data in, one document out.

A page is a template of its own (``templates/`` beside the module that fills it) which extends ``base.html``
and arranges what it is given with the macros of ``parts.html``. All share one stylesheet. A page loads
nothing from anywhere, and the template language is not imported before a page is made.
"""

from promptlet.pages.figure import Figure
from promptlet.pages.gallery import Gallery, Picture
from promptlet.pages.matrix import Matrix
from promptlet.pages.render import render
from promptlet.pages.table import Table

__all__ = ["Figure", "Gallery", "Matrix", "Picture", "Table", "render"]
