"""target-s3tables on a catalogue of PyIceberg in a SQLite file, with the tables in the folder of the configuration.

The loader knows two catalogues, both services of AWS. Its function `get_catalog` is replaced; everything else is the
loader's own: schemas, conversion of the records, commits.
"""

from __future__ import annotations

import logging
from pathlib import Path

import target_s3tables.sinks
from offline import close_network, data_folder
from pyiceberg.catalog.sql import SqlCatalog
from target_s3tables.config import ParsedConfig
from target_s3tables.target import TargetS3Tables

_catalogs: list[SqlCatalog] = []


def open_catalog(folder: Path) -> SqlCatalog:
    """Return the catalogue of a folder, which is made if it is missing."""
    return SqlCatalog("local", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())


def get_catalog(config: ParsedConfig, *, log: logging.Logger) -> SqlCatalog:
    """Return the same catalogue for each stream, as the loader does."""
    if not _catalogs:
        _catalogs.append(open_catalog(data_folder()))
    return _catalogs[0]


def main() -> None:
    """Run the loader on the catalogue in the folder of its configuration."""
    close_network()
    target_s3tables.sinks.get_catalog = get_catalog
    TargetS3Tables.cli()


if __name__ == "__main__":
    main()
