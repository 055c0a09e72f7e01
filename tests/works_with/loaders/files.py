"""The loaders that write files into a folder."""

from __future__ import annotations

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation

from .forms import boolean_text, null_if_empty
from .loader import Loader, Requirement

TARGET_CSV = Loader(
    name="meltanolabs-target-csv",
    packages=("meltanolabs-target-csv==0.5.0", "singer-sdk==0.54.9"),
    command=("target-csv",),
    settings=lambda destination: {
        "output_path": str(destination.folder),
        "file_naming_scheme": "{stream_name}-{timestamp}.csv",
    },
    read=lambda destination, _: stores.read_csv(destination.folder),
    representation=Representation(
        statements=(
            "each run has its own files",
            "`''` and null are empty cells",
            "objects are Python's repr, not JSON",
        ),
        appends=True,
        expected={Kind.TEXT: null_if_empty},
        decode={Kind.BOOLEAN: boolean_text, Kind.INTEGER: int, Kind.JSON: stores.python_literal},
    ),
    requirements=(
        Requirement(
            '`file_naming_scheme: "{stream_name}-{timestamp}.csv"`',
            "Each run opens its files for writing, also with `overwrite_behavior: append_records`.",
            "The second run replaces the files of the first, and bookmarks keep the old rows from coming again.",
        ),
    ),
)
TARGET_JSONL = Loader(
    name="target-jsonl",
    packages=("target-jsonl==0.1.4",),
    command=("target-jsonl",),
    settings=lambda destination: {"destination_path": str(destination.folder), "do_timestamp_file": False},
    read=lambda destination, _: stores.read_json_lines(destination.folder),
    representation=Representation(
        statements=("each record is a line, in every run", "money is text", "an empty stream has no file"),
        appends=True,
        has_empty_tables=False,
    ),
)
TARGET_UNIVERSAL_FILE = Loader(
    name="target-universal-file",
    packages=("target-universal-file==0.0.1", "singer-sdk==0.45.12"),
    command=("target-universal-file",),
    settings=lambda destination: {
        "protocol": "local",
        "file_type": "csv",
        "path": str(destination.folder / str(destination.run)),
    },
    read=lambda destination, _: stores.read_csv(destination.folder),
    representation=Representation(
        statements=(
            "each run has its own folder",
            "`''` and null are empty cells",
            "objects are Python's repr, not JSON",
            "an empty stream has no file",
        ),
        appends=True,
        has_empty_tables=False,
        expected={Kind.TEXT: null_if_empty},
        decode={Kind.BOOLEAN: boolean_text, Kind.INTEGER: int, Kind.JSON: stores.python_literal},
    ),
    requirements=(
        Requirement(
            "`file_type: csv`, and another `path` in each run",
            "Each run opens its files for writing.",
            "The second run replaces the files of the first, and bookmarks keep the old rows from coming again.",
        ),
    ),
)
