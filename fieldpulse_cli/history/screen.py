"""Tables and headings on a terminal: within 80 columns where that is its width, with colour only where it helps."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fieldpulse_plugin.output import for_output

_MAX_WIDTH, _WIDTH, _MIN_WIDTH, _MAX_WORD_WIDTH = 110, 80, 8, 28


class Screen:
    """Print to standard output. All text is escaped: names may come from anywhere.

    Escape sequences go to a terminal only, and none if `NO_COLOR` is set.
    """

    def __init__(self) -> None:
        has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
        self._console = Console(
            color_system="auto" if has_colour else None, width=min(width, _MAX_WIDTH), highlight=False, emoji=False
        )

    def heading(self, text: str) -> None:
        """Print the heading of a section."""
        self._console.print()
        self._console.print(Text(for_output(text), style="bold"))

    def line(self, text: str, *, style: str = "", indent: int = 0) -> None:
        """Print a line, wrapped at spaces where it is too long."""
        self._console.print(Padding(Text(for_output(text), style=style), (0, 0, 0, indent), expand=False))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Iterable[str]],
        *,
        right: Collection[str] = (),
        wide: Collection[str],
        wraps: bool = True,
    ) -> None:
        """Print a table. `right` are the columns of numbers; the `wide` columns share the width that the others leave.

        Where `wraps` is false, a row takes one line, and what does not fit ends in an ellipsis.
        """
        cells = [[Text(for_output(cell)) for cell in row] for row in rows]
        by_column = list(zip(map(Text, columns), *cells, strict=True))
        widths = [max(cell.cell_len for cell in column) for column in by_column]
        free = self._console.width - 2 * (len(columns) - 1)
        free -= sum(width for name, width in zip(columns, widths, strict=True) if name not in wide)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        left = len(wide)
        for name, content, column in zip(columns, widths, by_column, strict=True):
            is_wide, width = name in wide, content
            if is_wide:  # a part of the free width, or its longest word; what it does not need is for the next
                word = max((len(word) for cell in column for word in cell.plain.split()), default=0)
                least = min(word, _MAX_WORD_WIDTH) if wraps else _MIN_WIDTH
                width, left = min(content, max(free // left, least)), left - 1
                free -= width
            table.add_column(
                name,
                justify="right" if name in right else "left",
                no_wrap=not (wraps and is_wide),
                overflow="fold" if wraps else "ellipsis",
                min_width=None if is_wide else width,
                max_width=width if is_wide or not wraps else None,
            )
        for row in cells:
            table.add_row(*row)
        self._console.print(table)
