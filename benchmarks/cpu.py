"""CPU per record of the tap, beside an older build and dlt's extract step: `python -m benchmarks.cpu`.

All read the same prepared pages (`benchmarks.page_server`) in processes of their own, in turn, so that a busy machine
slows all of them. CPU is what the operating system accounts to the process, and the ratio is the median of the rounds'
ratios. A short list is read as well: what it costs is start-up, and is subtracted. No ratio is printed for runs that
read different rows.

`--same-output` demands that both builds write the same bytes, but for `time_extracted`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median

from scripts.docs.tables import table

from .page_server import STREAMS
from .processes import page_server, worktree
from .readers.builds import BASELINE, THIS_BUILD, other_program, our_builds
from .readers.reader import SHORT, Dlt, Reader
from .results import write_section


def main() -> None:
    """Measure each stream, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__.splitlines()[0])
    parser.add_argument("--baseline", default=BASELINE, metavar="COMMIT")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", nargs="+", default=STREAMS, choices=STREAMS)
    parser.add_argument("--same-output", action="store_true")
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    with worktree(options.baseline) as tree, page_server(options.rows) as url:
        readers = [*our_builds(options.baseline, tree), other_program(Dlt)]
        rows = [row for stream in options.streams for row in _measured(readers, url, stream, options)]
    text = table(("stream", "reader", "least µs", "median µs", "this build is"), rows)
    print(text)
    if options.write:
        command = f"python -m benchmarks.cpu --rows {options.rows} --rounds {options.rounds} --write"
        write_section("CPU per record", command, f"Start-up is not included.\n\n{text}")


def _measured(
    readers: list[Reader], url: str, stream: str, options: argparse.Namespace
) -> Iterator[tuple[str, str, str, str, str]]:
    costs: dict[str, list[float]] = {reader.name: [] for reader in readers}
    for _ in range(options.rounds):
        outputs = []
        for reader in readers:
            start_up, _ = reader.read(url, stream, SHORT)
            cost, output = reader.read(url, stream, options.rows)
            outputs.append(output)
            costs[reader.name].append((cost.cpu_seconds - start_up.cpu_seconds) / (options.rows - SHORT))
        if len({output.ids for output in outputs}) > 1:
            raise SystemExit(f"{stream}: no ratio, because the runs read different rows")
        if options.same_output and outputs[0].everything != outputs[1].everything:
            raise SystemExit(f"{stream}: the output differs from that of {options.baseline}")
    for name, others in costs.items():
        ratios = [own / other for own, other in zip(costs[THIS_BUILD], others, strict=True)]
        yield stream, name, f"{min(others) * 1e6:.1f}", f"{median(others) * 1e6:.1f}", f"{median(ratios):.2f} of it"


if __name__ == "__main__":
    main()
