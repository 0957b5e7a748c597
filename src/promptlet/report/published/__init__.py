"""Numbers that others published, beside ours: which, from where, and of how many data sets."""

from promptlet.report.published.numbers import Published, published

__all__ = ["Published", "published"]
