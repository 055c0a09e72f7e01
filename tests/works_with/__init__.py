"""The tap's real output in real Singer loaders, compared cell by cell: `python -m tests.works_with`.

| file | what it holds |
| --- | --- |
| `scenarios.py` | what the tap emits: a list of message files for each scenario |
| `loaders/` | the loaders: their packages, settings, representations, and what each needs |
| `stand_ins/` | scripts that run a loader without its cloud service, and read what it loaded |
| `environments.py` | a virtual environment for each loader |
| `stores.py` | reading the loaded tables |
| `loading.py` | one scenario in one loader |
| `comparison.py` | the cells that should be there, against those that are |
| `answers.py` | the views of `fieldpulse answers` over tables of real loaders: `make answers` |
| `results.py` | the results file, from which `make fix` makes the tables of the page |
"""
