"""The tables of fakesnow, as Snowflake's Python connector returns their cells, with the types of their columns."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import fakesnow
from offline import close_network


def main() -> None:
    """Write the tables of a folder to a file."""
    folder, output = map(Path, sys.argv[1:])
    close_network()
    with fakesnow.patch(db_path=folder):
        import snowflake.connector  # noqa: PLC0415  it is fakesnow's now

        cursor = snowflake.connector.connect(database="DB", schema="FP").cursor()
        cursor.execute("select table_name from information_schema.tables where table_schema = 'FP'")
        tables = {}
        for (name,) in cursor.fetchall():
            types = {row[0]: row[1] for row in cursor.execute(f'describe table FP."{name}"').fetchall()}
            columns = ", ".join(f'"{column}"' for column in types)
            rows = cursor.execute(f'select {columns} from FP."{name}"').fetchall()
            tables[name] = (list(types), rows, types)
    output.write_bytes(pickle.dumps(tables))


if __name__ == "__main__":
    main()
