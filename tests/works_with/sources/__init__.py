"""Real sources into the target, rows compared field by field: `python -m tests.works_with.sources`.

| file | what it holds |
| --- | --- |
| `source.py` | what a source is; how a tap is run |
| `databases.py`, `files.py`, `vendors.py`, `sent_back.py` | the sources: the rows that each should leave |
| `data/` | what they read: tables, folders of CSV files, answers of vendors' APIs |
| `vendor_api.py` | a vendor's API that answers from a file, around the real tap |
| `catalogue.py` | all sources |
| `account.py` | the rows of an account, read over HTTP without our code, and their differences |
| `trial.py` | a source sent twice, and again after a SIGKILL |
| `results.py` | the results file, from which `make fix` makes the table of the page |

The stream maps are those of docs/target/sources.md. `tests/target/sources` tries the recorded messages without taps.
"""
