"""Read an account through PyAirbyte into DuckDB, and print the tables as JSON. Runs in the environment of Airbyte.

usage: read_into_duckdb.py MANIFEST DATABASE API_URL API_KEY
"""

import json
import sys
from pathlib import Path

import airbyte

manifest, database, api_url, api_key = sys.argv[1:]
config = {"api_key": api_key, "api_url": api_url}
source = airbyte.get_source("source-fieldpulse", source_manifest=Path(manifest), config=config)
source.check()
source.select_all_streams()
cache = airbyte.caches.DuckDBCache(db_path=database, schema_name="fp")
result = source.read(cache=cache)
tables = {}
for name in source.get_available_streams():
    with cache.get_sql_engine().connect() as connection:
        rows = connection.exec_driver_sql(f'select * from fp."{name}"')
        columns = list(rows.keys())
        tables[name] = [dict(zip(columns, row, strict=True)) for row in rows]
Path(f"{database}.json").write_text(json.dumps(tables, default=str))
print(json.dumps({"spec": source.config_spec, "processed": result.processed_records}))
