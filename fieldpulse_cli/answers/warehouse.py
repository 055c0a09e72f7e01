"""The tables of a loader, read alike whatever the loader made of the records.

An answer names the streams as if they were tables. Here each becomes a common table expression over the loader's table:

| in an answer             | is                                                                                |
| ------------------------ | --------------------------------------------------------------------------------- |
| `invoices`               | the rows that are not deleted, and did not move to the other list                 |
| `all_customers`          | every row, for the names of customers who were deleted and still owe              |
| `invoices.total`         | a decimal, also where the loader has text                                         |
| `invoices.due_date`      | an instant, `timestamptz`, also where the loader has UTC without a zone           |
| `invoices.due_date_local`| its time in the zone of the account, `timestamp`                                  |
| `invoices.due_date_day`  | its day in the zone of the account, `date`                                        |
| `customers.name`         | a column of `DERIVED`                                                             |
| any other text           | without spaces around it; null if it is empty, as some loaders make it            |
| `settings.today`         | today in the zone of the account                                                  |

PostgreSQL and DuckDB both take `extract(epoch …)` of a time without a zone as UTC, so that one expression fits both
types of columns, whatever the zone of the session.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from fieldpulse_api.resources.catalogue import BY_NAME

OPTIONAL_COLUMN = ("estimates", "custom_status")
"""The table and the column, which is of `detail_streams`."""
OPTIONAL = ("deleted_rows", OPTIONAL_COLUMN[1], *BY_NAME)
"""What a warehouse may lack: `deleted_rows` is of `detect_deletes`, the rest are the column and the streams."""
DERIVED = {
    "customers": {
        "name": "coalesce({display_name}, {company_name}, nullif(concat_ws(' ', {first_name}, {last_name}), ''))",
        "main_street": "source.main_location ->> 'address_1'",
        "main_city": "source.main_location ->> 'city'",
        "main_state": "source.main_location ->> 'state'",
        "main_zip_code": "source.main_location ->> 'zip_code'",
    },
    "jobs": {
        "only_user_id": "case when json_array_length(to_json(source.assignments)) = 1"
        " then cast((to_json(source.assignments) -> 0) ->> 'user_id' as bigint) end",
    },
    "users": {"name": "nullif(concat_ws(' ', {first_name}, {last_name}), '')"},
    "pipeline_statuses": {"label": "coalesce({name}, {status})"},
    "estimates": {
        "issued_day": "coalesce({invoiced_date_day}, {created_at_day})",
        "custom_status_name": "nullif(trim(source.custom_status ->> 'name'), '')",
    },
    "invoices": {
        "unpaid": "coalesce({amount_unpaid}, {total} - coalesce({amount_paid}, 0))",
        "charge": "greatest({unpaid}, 0)",
    },
}
"""Columns that no stream has, by stream: SQL with other columns in braces."""
_MOVED = {"estimates": ("invoices", ">="), "invoices": ("estimates", ">")}
"""Where a row may have moved: it keeps its id, and its old row stays in the loader's table. The newer row counts."""
REFERENCE = re.compile(rf"\b(all_)?({'|'.join(BY_NAME)})\.(\w+)")
"""A column of a stream in the SQL of an answer."""


@dataclass(frozen=True)
class Warehouse:
    """A schema with the tables of a loader.

    `timezone` is the IANA name of the account's zone, already validated. `without` names members of `OPTIONAL`: deleted
    rows, or rows that moved to a missing list, then count as if they were live. `now` replaces the database's clock.
    """

    schema: str
    timezone: str
    without: frozenset[str] = frozenset()
    now: datetime | None = None

    def tables(self, sql: str) -> str:
        """Return the common table expressions for what an answer's SQL names, without the word `with`.

        Raises: KeyError if the SQL names a column that the stream does not have.
        """
        columns: dict[tuple[str, str], set[str]] = {}
        for prefix, stream, column in REFERENCE.findall(sql):
            columns.setdefault((prefix, stream), set()).add(column)
        tables = [self._table(prefix, stream, names) for (prefix, stream), names in sorted(columns.items())]
        return ",\n".join([*([self._settings()] if "settings." in sql else []), *tables])

    def _settings(self) -> str:
        now = f"timestamptz '{self.now.isoformat()}'" if self.now else "current_timestamp"
        return f"settings as (select cast({now} at time zone '{self.timezone}' as date) as today)"

    def _table(self, prefix: str, stream: str, names: Collection[str]) -> str:
        columns = ",\n".join(f"        {self._cell(stream, name)} as {name}" for name in sorted(names))
        rows = "" if prefix else "\n    where " + "\n        and ".join(self._conditions(stream))
        source = f"{quoted(self.schema)}.{stream} as source"
        return f"{prefix}{stream} as (\n    select\n{columns}\n    from {source}{rows}\n)"

    def _conditions(self, stream: str) -> list[str]:
        schema = quoted(self.schema)
        conditions = ["source.deleted_at is null"]
        if "deleted_rows" not in self.without:
            conditions.append(
                f"not exists (select 1 from {schema}.deleted_rows as gone"  # noqa: S608  names of the catalogue
                f" where gone.stream = '{stream}' and gone.id = source.id)"
            )
        other, newer = _MOVED.get(stream, ("", ""))
        if other and other not in self.without:
            conditions.append(
                f"not exists (select 1 from {schema}.{other} as moved"  # noqa: S608  as above
                f" where moved.id = source.id and moved.updated_at {newer} source.updated_at)"
            )
        return conditions

    def _cell(self, stream: str, name: str) -> str:
        """Return the SQL of a column. Raises: KeyError."""
        if derived := DERIVED.get(stream, {}).get(name):
            if name == "custom_status_name" and "custom_status" in self.without:
                return "cast(null as text)"
            return re.sub(r"\{(\w+)\}", lambda match: self._cell(stream, match[1]), derived)
        properties = BY_NAME[stream].schema["properties"]
        column = re.sub(r"_(local|day)$", "", name) if name not in properties else name
        form, types = properties[column].get("format"), properties[column]["type"]
        if form == "x-singer.decimal":
            return f"cast(source.{column} as decimal(38, 9))"
        if form == "date-time":
            return self._time(column, name.removeprefix(column))
        return f"nullif(trim(source.{column}), '')" if "string" in types else f"source.{column}"

    def _time(self, column: str, form: str) -> str:
        instant = f"to_timestamp(extract(epoch from source.{column}))"
        local = f"{instant} at time zone '{self.timezone}'"
        return {"": instant, "_local": f"({local})", "_day": f"cast({local} as date)"}[form]


def quoted(identifier: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + identifier.replace('"', '""') + '"'
