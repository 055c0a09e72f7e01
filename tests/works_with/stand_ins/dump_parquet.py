"""The Parquet files of the folders `<stream>`, those of one stream after another."""

from __future__ import annotations

import pickle
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet


def main() -> None:
    """Write the tables of a folder to a file."""
    folder, output = map(Path, sys.argv[1:])
    found: dict[str, tuple[dict[str, None], list[dict[str, Any]]]] = {}
    for path in sorted(folder.rglob("*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        table = pyarrow.parquet.ParquetFile(path).read()
        columns, rows = found.setdefault(path.relative_to(folder).parts[0], ({}, []))
        columns |= dict.fromkeys(table.column_names)
        rows += table.to_pylist()
    tables: dict[str, tuple[list[str], list[list[Any]], dict[str, str]]] = {
        name: (list(columns), [[_plain(row.get(column)) for column in columns] for row in rows], {})
        for name, (columns, rows) in found.items()
    }
    output.write_bytes(pickle.dumps(tables))


def _plain(value: Any) -> Any:
    """Return the value with a time zone that every environment has."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


if __name__ == "__main__":
    main()
