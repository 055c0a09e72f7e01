"""Our tap beside its older build and others that read the same list: `python -m benchmarks.compare`.

Each reader is a process of an environment of its own; the pages come from another process. All read the same rows in
one run, in turn, and no ratio is printed for runs that read different rows. Start-up is what a list of 100 rows costs;
it is subtracted. With `--write`, the result is written to `benchmarks/RESULTS.md`, and the plot into the docs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pygal

from scripts.docs.tables import table
from tests.harness.arrivals import most_in_a_second

from .page_server import STREAMS
from .processes import PACE, ROOT, page_server, worktree
from .readers.builds import BASELINE, PACKAGES, THIS_BUILD, other_program, our_builds
from .readers.reader import SHORT, Reader
from .results import write_section

LIMIT = 50  # requests per second that FieldPulse accepts
PLOT = ROOT / "docs" / "operations" / "speed.svg"


@dataclass(frozen=True)
class Figures:
    """What one reader did at one latency, without its start-up."""

    reader: str
    latency_ms: int
    records_per_second: float
    cpu_us_per_record: float
    memory_mb: float
    budget: float
    most_in_a_second: int


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--stream", choices=STREAMS, default="jobs")
    parser.add_argument("--latencies", type=int, nargs="+", default=[50, 100, 300], metavar="MS")
    parser.add_argument("--baseline", default=BASELINE, metavar="COMMIT")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md and the plot")
    options = parser.parse_args()
    with worktree(options.baseline) as tree:
        readers = [*our_builds(options.baseline, tree), *map(other_program, PACKAGES)]
        figures = [
            each
            for latency_ms in options.latencies
            for each in _measured(readers, options.stream, options.rows, latency_ms)
        ]
    text = _table(figures)
    print(text)
    if options.write:
        command = f"python -m benchmarks.compare --rows {options.rows} --stream {options.stream} --write"
        write_section("Beside other programs", command, f"{_notes()}\n\n{text}")
        PLOT.write_text(_plot(figures), "utf-8")


def _measured(readers: list[Reader], stream: str, rows: int, latency_ms: int) -> Iterator[Figures]:
    ids = set()
    with page_server(rows, latency_ms) as url:
        for reader in readers:
            start_up, _ = reader.read(url, stream, SHORT)
            httpx.get(f"{url}/arrivals")
            cost, output = reader.read(url, stream, rows)
            arrivals = httpx.get(f"{url}/arrivals").json()
            ids.add(output.ids)
            if len(ids) > 1:
                raise SystemExit(f"{reader.name}: no ratio, because it read different rows")
            seconds = cost.wall_seconds - start_up.wall_seconds
            yield Figures(
                reader.name,
                latency_ms,
                (rows - SHORT) / seconds,
                (cost.cpu_seconds - start_up.cpu_seconds) / (rows - SHORT) * 1e6,
                cost.memory_mb,
                (rows - SHORT) / 100 / seconds / PACE,
                most_in_a_second(arrivals),
            )
            print(f"{latency_ms} ms: {reader.name} has read {rows:,} rows", flush=True)


def _table(figures: list[Figures]) -> str:
    rows = []
    for each in figures:
        ours = next(other for other in figures if other.reader == THIS_BUILD and other.latency_ms == each.latency_ms)
        rows.append(
            (
                f"{each.latency_ms} ms",
                each.reader,
                f"{each.records_per_second:,.0f}",
                f"{ours.records_per_second / each.records_per_second:.1f} times",
                f"{each.cpu_us_per_record:.0f}",
                f"{ours.cpu_us_per_record / each.cpu_us_per_record:.2f}",
                f"{each.memory_mb:.0f}",
                f"{each.budget:.0%}",
                f"{each.most_in_a_second}",
            )
        )
    heads = ("latency", "reader", "records/s", "this build is", "CPU, µs a record", "this build's CPU is")
    return table((*heads, "peak MB", f"of {PACE} requests/s", f"most in a second (limit {LIMIT})"), rows)


def _notes() -> str:
    packages = ", ".join(f"`{package}`" for _, package in PACKAGES.values())
    return (
        f"Packages: {packages}. Start-up is not included. Ours keeps to {PACE} requests a second, as FieldPulse "
        "rejects the 51st. The others have no limit."
    )


def _plot(figures: list[Figures]) -> str:
    chart = pygal.Line(
        title="Records per second, by latency",
        x_title="latency of a response, ms",
        legend_at_bottom=True,
        legend_at_bottom_columns=1,
        truncate_legend=-1,
        legend_box_size=10,
        include_x_axis=True,
        disable_xml_declaration=True,
        js=(),
    )
    latencies = sorted({each.latency_ms for each in figures})
    chart.x_labels = [str(latency) for latency in latencies]
    for reader in dict.fromkeys(each.reader for each in figures):
        values = {each.latency_ms: each.records_per_second for each in figures if each.reader == reader}
        cpu = next(each.cpu_us_per_record for each in figures if each.reader == reader)
        chart.add(f"{reader}: {cpu:.0f} µs of CPU a record", [round(values[latency]) for latency in latencies])
    svg: str = chart.render()
    return f"{svg}\n"


if __name__ == "__main__":
    main()
