"""The tables of the local Iceberg catalogue, as PyIceberg and PyArrow return their cells, with their columns' types."""

from __future__ import annotations

import pickle
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from local_iceberg import open_catalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import Table


def main() -> None:
    """Write the tables of a folder to a file."""
    folder, output = map(Path, sys.argv[1:])
    catalog = open_catalog(folder)
    tables = {}
    for namespace, name in catalog.list_tables("fp"):
        table = catalog.load_table((namespace, name))
        types = {field.name: str(field.field_type) for field in table.schema().fields}
        rows = _read(table).to_pylist(maps_as_pydicts="strict")
        tables[name] = (list(types), [[_plain(row[column]) for column in types] for row in rows], types)
    output.write_bytes(pickle.dumps(tables))


def _read(table: Table) -> pa.Table:
    """Return the rows of all data files in the order of their commits; a scan begins with the last commit."""
    entries = table.inspect.entries().to_pylist() if table.current_snapshot() else []
    commits = {entry["data_file"]["file_path"]: entry["sequence_number"] for entry in entries}
    scan = table.scan()
    tasks = sorted(scan.plan_files(), key=lambda task: commits[task.file.file_path])
    return ArrowScan(table.metadata, table.io, scan.projection(), AlwaysTrue()).to_table(tasks)


def _plain(value: Any) -> Any:
    """Return the value with times that need no time zone database."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
