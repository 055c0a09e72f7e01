"""What runs cost that have little to do, beside an older build: `python -m benchmarks.start_up`.

Both builds print their version, help and description, and read a small account at 100 ms: once whole, then again with
nothing new. They take turns. The streams are all lists, without change events and webhooks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.docs.tables import table
from tap_fieldpulse.singer.change_event_stream import CHANGE_EVENTS

from .processes import KEY, ROOT, Cost, measured, sandbox, worktree
from .readers.builds import BASELINE
from .results import write_section

PLUGINS, OPTIONS = ("tap_fieldpulse", "target_fieldpulse"), ("--version", "--help", "--about")
CUSTOMERS, LATENCY_MS = 300, 100
NOT_LISTS = (CHANGE_EVENTS, "deleted_rows", "webhook_events")


def main() -> None:
    """Measure both builds, and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start_up", description=__doc__.splitlines()[0])
    parser.add_argument("--baseline", default=BASELINE, metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    with worktree(options.baseline) as tree:
        printing = table(
            ("command", "CPU, s", f"of {options.baseline}", "this build is"), _printing(tree, options.rounds)
        )
        reading = table(
            ("run", "seconds", f"of {options.baseline}", "this build is", "requests", "most for a path"),
            _reading(tree, options.rounds),
        )
    print(printing, reading, sep="\n")
    if options.write:
        command = f"python -m benchmarks.start_up --rounds {options.rounds} --write"
        about = (
            f"An account of {CUSTOMERS} customers at {LATENCY_MS} ms, all lists. Medians, in turn. "
            "A list below the rows of another one reads that list, too."
        )
        write_section("Runs with little to do", command, f"{printing}\n{about}\n\n{reading}")


def _printing(tree: Path, rounds: int) -> Iterator[tuple[str, ...]]:
    for plugin in PLUGINS:
        for option in OPTIONS:
            ours, theirs = zip(
                *([_run(each, [plugin, option]).cpu_seconds for each in (ROOT, tree)] for _ in range(rounds)),
                strict=True,
            )
            yield f"`{plugin.replace('_', '-')} {option}`", *_compared(ours, theirs, digits=3)


def _reading(tree: Path, rounds: int) -> Iterator[tuple[str, ...]]:
    ours: dict[str, list[float]] = {"first": [], "nothing new": []}
    theirs: dict[str, list[float]] = {"first": [], "nothing new": []}
    requests: dict[str, Counter[str]] = {}
    with sandbox(customers=CUSTOMERS, latency_ms=LATENCY_MS) as url:
        for _ in range(rounds):
            for each, seconds in ((ROOT, ours), (tree, theirs)):
                for name, (cost, counted) in zip(seconds, _runs(each, url), strict=True):
                    seconds[name].append(cost.wall_seconds)
                    if each is ROOT:
                        requests[name] = counted
    for name, seconds in ours.items():
        path, most = requests[name].most_common(1)[0]
        yield name, *_compared(seconds, theirs[name], digits=1), f"{requests[name].total()}", f"{most} (`{path}`)"


def _runs(tree: Path, url: str) -> Iterator[tuple[Cost, Counter[str]]]:
    """Read all lists, and again from the state of the first run: yield what each run cost, and its requests by path."""
    with tempfile.TemporaryDirectory(prefix="fieldpulse-bench-") as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps({"api_key": KEY, "api_url": url}))
        _run(tree, ["tap_fieldpulse", "--config", "config.json", "--discover"], folder)
        catalog = json.loads((folder / "output").read_text())
        for entry in catalog["streams"]:
            root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
            root["metadata"]["selected"] = entry["tap_stream_id"] not in NOT_LISTS
        (folder / "catalog.json").write_text(json.dumps(catalog))
        (folder / "state.json").write_text("{}")
        command = ["tap_fieldpulse", "--config", "config.json", "--catalog", "catalog.json", "--state", "state.json"]
        for _ in range(2):
            cost = _run(tree, command, folder)
            messages = map(json.loads, (folder / "output").read_text().splitlines())
            states = [message["value"] for message in messages if message["type"] == "STATE"]
            (folder / "state.json").write_text(json.dumps(states[-1]))
            yield cost, Counter(re.findall(r"GET (\S+): \d+ in", (folder / "output.errors").read_text()))


def _run(tree: Path, arguments: list[str], folder: Path | None = None) -> Cost:
    """Run a plugin of a working tree. Its log has every request."""
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return _run(tree, arguments, Path(name))
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(tree), "LOGLEVEL": "DEBUG"}
    return measured([sys.executable, "-m", *arguments], environment, folder / "output")


def _compared(ours: list[float], theirs: list[float], *, digits: int) -> tuple[str, str, str]:
    ratio = median(own / other for own, other in zip(ours, theirs, strict=True))
    return f"{median(ours):.{digits}f}", f"{median(theirs):.{digits}f}", f"{ratio:.2f} of it"


if __name__ == "__main__":
    main()
