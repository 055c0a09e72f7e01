"""target-snowflake on fakesnow, which is DuckDB behind Snowflake's SQL and Python connector.

fakesnow has no stage of a user, so that four of the loader's calls are replaced. Everything else is the loader's own:
the DDL, the batch files, and the text of the MERGE with its casts.

| call of the loader | here |
| --- | --- |
| PUT of the batch files | their lines go into a table: `C1` as staged, `N` in their order |
| MERGE from the stage | first its select, where `$1` is `C1` and `SEQ8()` is `N`; then the MERGE from the result |
| REMOVE of the staged files | nothing: the next PUT replaces the table |
| CREATE and DROP FILE FORMAT | nothing |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlparse

import fakesnow
from offline import close_network, data_folder
from target_snowflake.connector import SnowflakeConnector
from target_snowflake.target import TargetSnowflake

DATABASE = "DB"
STAGED, CAST = f"{DATABASE}.STAGE.STAGED", f"{DATABASE}.STAGE.CAST"


def put(self: SnowflakeConnector, sync_id: str, files: Sequence[str]) -> None:
    """Make the lines of the batch files the rows of a table."""
    select = "select row_number() over () as N, json as C1 from read_ndjson_objects(?)"
    with self._connect() as connection:
        duckdb = connection.connection.driver_connection._duck_conn  # fakesnow's SQL cannot read files
        duckdb.execute(f"create or replace table {STAGED} as {select}", [[urlparse(file).path for file in files]])


def merge(
    self: SnowflakeConnector,
    full_table_name: str,
    schema: dict[str, Any],
    sync_id: str,
    file_format: str,
    key_properties: Sequence[str],
) -> int:
    """Run the loader's MERGE on the staged rows, and return the number of rows that it wrote."""
    statement = str(
        self._get_merge_from_stage_statement(full_table_name, schema, sync_id, file_format, key_properties)[0]
    )
    head, _, rest = statement.partition(" using (")
    select, _, tail = rest.rpartition(") s on ")
    stage = f"'@~/target-snowflake/{sync_id}'(file_format => {file_format})"
    select = select.replace(stage, STAGED).replace("$1:", "C1:").replace("SEQ8()", "N")
    with self._connect() as connection, connection.begin():
        connection.exec_driver_sql(f"use schema {DATABASE}.STAGE")
        connection.exec_driver_sql(f"create or replace table {CAST} as {select}")
        return sum(connection.exec_driver_sql(f"{head} using {CAST} s on {tail}").fetchone())


def do_nothing(self: SnowflakeConnector, **_: str) -> None:
    """Replace a call that has nothing to do here."""


def main() -> None:
    """Run the loader on the database files in the folder of its configuration."""
    close_network()
    with fakesnow.patch(db_path=data_folder()):
        import snowflake.connector  # noqa: PLC0415  it is fakesnow's now

        snowflake.connector.connect(database=DATABASE).cursor().execute(f"create schema if not exists {DATABASE}.STAGE")
        SnowflakeConnector.put_batches_to_stage = put
        SnowflakeConnector.merge_from_stage = merge
        for name in ("create_file_format", "drop_file_format", "remove_staged_files"):
            setattr(SnowflakeConnector, name, do_nothing)
        TargetSnowflake.max_parallelism = 1  # DuckDB refuses two statements at a time
        TargetSnowflake.cli()


if __name__ == "__main__":
    main()
