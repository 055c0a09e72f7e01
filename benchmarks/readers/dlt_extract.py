"""The extract step of dlt's REST API source. Run by `benchmarks.cpu` with a Python that has dlt: URL LIST FOLDER."""

# mypy: ignore-errors
import gzip
import json
import sys
from pathlib import Path

import dlt
from dlt.sources.rest_api import rest_api_source


def main(url: str, name: str, folder: str) -> None:
    """Extract a list into `folder`, as files that dlt would normalize and load."""
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "paginator": {"type": "page_number", "base_page": 1, "total_path": None, "page_param": "page"},
            },
            "resources": [
                {
                    "name": name,
                    "primary_key": "id",
                    "endpoint": {"path": name, "params": {"limit": 100}, "data_selector": "response"},
                }
            ],
        }
    )
    pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination="dummy", dataset_name="bench")
    pipeline.extract(source)


def ids(folder: str, name: str) -> list[int]:
    """Return the ids of the extracted rows."""
    found = []
    for path in Path(folder).rglob(f"{name}.*.typed-jsonl*"):
        with gzip.open(path, "rt") as file:
            found += [row["id"] for line in file for row in json.loads(line)]
    return found


if __name__ == "__main__":
    url_, name_, folder_, *rest = sys.argv[1:]
    print(json.dumps(ids(folder_, name_))) if rest else main(url_, name_, folder_)
