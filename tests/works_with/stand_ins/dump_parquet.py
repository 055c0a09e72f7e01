"""The Parquet files of a bucket, those of one stream after another, with the types of their columns."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet


def main() -> None:
    """Write the tables of a folder to a file."""
    folder, output = map(Path, sys.argv[1:])
    tables: dict[str, tuple[list[str], list[list[Any]], dict[str, str]]] = {}
    for path in sorted(folder.rglob("*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        table = pyarrow.parquet.ParquetFile(path).read()
        columns, rows, _ = tables.setdefault(path.parent.name, ([], [], {}))
        columns += [name for name in table.column_names if name not in columns]
        rows += [[row.get(name) for name in columns] for row in table.to_pylist()]
    for columns, rows, _ in tables.values():
        for row in rows:
            row += [None] * (len(columns) - len(row))
    output.write_bytes(pickle.dumps(tables))


if __name__ == "__main__":
    main()
