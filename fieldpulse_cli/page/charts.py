"""Charts as SVG inside the page. Each has a table with the same numbers, for those who cannot see it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree.ElementTree import Element

import pygal  # type: ignore[import-untyped]
from markupsafe import Markup
from pygal.style import Style  # type: ignore[import-untyped]

# pygal leaves a finder of plugins there that has no `find_spec`: each later import of the process would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

_KINDS = {"line": pygal.Line, "stacked": pygal.StackedBar, "bars": pygal.HorizontalBar}
_WIDTH, _HEIGHT, _BAR_HEIGHT = 460, 230, 46
"""In units of the SVG. At 375 px a unit is 0.74 px, so that labels are 12 px high."""
_LABEL_SIZE = 16
_MAX_SCALE = 5
_MIN_POINTS = 8
"""From so many points on, the middle has a label too."""
_REMOVED_TAGS = ("defs", "desc", "title")
_REMOVED_CLASSES = ("plot tooltip-overlay", "plot text-overlay", "plot overlay", "titles", "background")


@dataclass(frozen=True)
class Series:
    """Numbers with a name. `color` is a class of the page's style sheet; None among the values is a gap."""

    name: str
    color: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart: one label for each value of its series. `unit` and `first_column` are words for its table."""

    title: str
    unit: str
    first_column: str
    kind: Literal["line", "stacked", "bars"]
    labels: Sequence[str]
    series: Sequence[Series]

    @property
    def svg(self) -> Markup:
        """Return the chart as SVG, with colours and fonts left to the page."""
        is_wide = self.kind != "bars"
        chart = _KINDS[self.kind](
            style=Style(label_font_size=_LABEL_SIZE, major_label_font_size=_LABEL_SIZE),
            width=_WIDTH,
            height=_HEIGHT if is_wide else 40 + _BAR_HEIGHT * len(self.labels),
            margin=6,
            show_legend=False,
            show_dots=len(self.labels) == 1,
            truncate_label=-1,
            min_scale=1,
            max_scale=_MAX_SCALE,
            include_x_axis=True,
            formatter=_short_number,
            disable_xml_declaration=True,
            js=[],
            css=[],
        )
        last = len(self.labels) - 1
        # The labels of more points would lie over each other.
        labelled = {0, last} | ({last // 2} if last >= _MIN_POINTS else set()) if is_wide else range(last + 1)
        chart.x_labels = [label if number in labelled else "" for number, label in enumerate(self.labels)]
        if top := self._small_top:
            chart.y_labels = list(range(top + 1))
        for series in self.series:
            chart.add(series.name, list(series.values))
        chart.add_xml_filter(self._without_extras)
        return Markup(chart.render())  # noqa: S704  pygal has escaped the labels

    @property
    def _small_top(self) -> int | None:
        """Return the highest of a few whole numbers, of which the axis would show fractions; else None."""
        columns = [[series.values[number] or 0 for series in self.series] for number in range(len(self.labels))]
        tops = [sum(column) if self.kind == "stacked" else max(column) for column in columns]
        is_whole = all(isinstance(value, int) for column in columns for value in column)
        return int(max(tops)) if is_whole and 0 < max(tops, default=0) <= _MAX_SCALE else None

    def _without_extras(self, root: Element) -> Element:
        """Remove what a page without scripts cannot use, and what would give two charts of a page the same ids."""
        for parent in list(root.iter()):
            parent.attrib.pop("id", None)
            for child in list(parent):
                tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""  # a comment has no name
                is_blank = child.get("class") == "guides" and not "".join(child.itertext())
                if not tag or tag in _REMOVED_TAGS or child.get("class") in _REMOVED_CLASSES or is_blank:
                    parent.remove(child)
            words: list[Any] = parent.get("class", "").split()
            for number, series in enumerate(self.series):
                if f"serie-{number}" in words:
                    parent.set("class", f"series {series.color}")
        root.set("aria-hidden", "true")
        root.set("focusable", "false")
        return root

    @property
    def rows(self) -> list[tuple[str, list[float | None]]]:
        """Return the rows of the table: a label, and the value of each series."""
        return [(label, [series.values[number] for series in self.series]) for number, label in enumerate(self.labels)]


def _short_number(value: float) -> str:
    """Return a number in few letters, for an axis."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"
