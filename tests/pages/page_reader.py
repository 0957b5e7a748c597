"""Reads a page as XML, which it is below its first line."""

from __future__ import annotations

from xml.etree import ElementTree


def tree(page: str) -> ElementTree.Element:
    first, rest = page.split("\n", 1)
    assert first == "<!doctype html>"
    return ElementTree.fromstring(rest)


def words(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())
