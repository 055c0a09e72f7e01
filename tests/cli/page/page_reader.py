"""What a reader, a browser or a screen reader, depends on in an HTML page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override

_VOID = ("meta", "link", "br", "img", "input", "hr")
_LOADING = ("src", "href", "xlink:href", "srcset", "action", "data", "poster")


@dataclass
class ReadPage(HTMLParser):
    """The facts of a page: its ids, headings, links, tables, and what is not closed."""

    text: str = ""
    ids: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    headings: list[int] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    cells_without_scope: int = 0
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags[tag] += 1
        if tag not in _VOID:
            self.open_tags.append(tag)
        if "id" in attributes:
            self.ids[attributes["id"] or ""] += 1
        if tag[0] == "h" and tag[1:].isdigit():
            self.headings.append(int(tag[1:]))
        self.links += [attributes[name] or "" for name in _LOADING if name in attributes]
        self.handlers += [name for name in attributes if name.startswith("on") or name == "style"]
        self.cells_without_scope += tag == "th" and "scope" not in attributes

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open_tags.pop()

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if self.open_tags and self.open_tags[-1] != "style":
            self.text += data


def read_page(html: str) -> ReadPage:
    page = ReadPage()
    page.feed(html)
    page.close()
    return page
