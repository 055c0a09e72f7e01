"""Hold airbyte/manifest.yaml against Airbyte's own runtimes, on the sandbox: `python -m tests.airbyte`.

The packages are installed from PyPI into an environment of their own, once. Exit status 1: something is not as it
should be.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.works_with.environments import DEFAULT_FOLDER, prepare_environment
from tests.works_with.scenarios import UNUSUAL_TEXTS

from .failures import CASES, Case
from .runtime import MANIFEST, PACKAGES, Message, Result, Runtime
from .same_records import differences, records_of_the_tap

KEY = "key-that-no-log-may-contain"
_CUSTOMERS = 60
_SHOWN = 8
_TEXTS = (*UNUSUAL_TEXTS, "{{ config['api_key'] }}", "12.50", "[]")
"""Users pass through a template of the manifest whole."""
Check = Callable[[Runtime], Iterator[str]]


def main() -> int:
    """Run all checks. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.airbyte", description=__doc__)
    parser.add_argument("checks", nargs="*", choices=[[], *CHECKS], default=[], metavar="CHECK")
    parser.add_argument("--envs", type=Path, default=DEFAULT_FOLDER, help="environments (default: %(default)s)")
    arguments = parser.parse_args()
    environment = prepare_environment("airbyte", PACKAGES, arguments.envs)
    logging.disable()
    wrong = 0
    for name in arguments.checks or CHECKS:
        with tempfile.TemporaryDirectory(prefix="fieldpulse-airbyte-") as folder:
            problems = list(CHECKS[name](Runtime(environment, Path(folder))))
        wrong += len(problems)
        print("\n    ".join([f"{name}: {'right' if not problems else 'WRONG'}", *problems[:_SHOWN]]), flush=True)
    print(f"{wrong} problems")
    return int(bool(wrong))


def check_connection(runtime: Runtime) -> Iterator[str]:
    """Yield what is wrong with `spec`, `check` and `discover`."""
    with Sandbox(customers=3, api_key=KEY) as sandbox:
        spec = runtime.run("spec", sandbox)
        if spec.status or "connectionSpecification" not in spec.only("SPEC"):
            yield "spec fails"
        for config, expected in (({"api_key": f"{KEY}\n"}, "SUCCEEDED"), ({"api_key": "wrong"}, "FAILED")):
            status = runtime.run("check", sandbox, config=config).only("CONNECTION_STATUS")["status"]
            if status != expected:
                yield f"check with {config}: {status}"
        streams = runtime.discover(sandbox)
        if list(streams) != list(BY_NAME):
            yield f"the streams are {list(streams)}"
        for name, stream in streams.items():
            column = BY_NAME[name].updated_column
            if stream["source_defined_primary_key"] != [["id"]]:
                yield f"{name}: the key is {stream['source_defined_primary_key']}"
            if stream.get("default_cursor_field", []) != ([column] if column else []):
                yield f"{name}: the cursor is {stream.get('default_cursor_field')}"


def check_records(runtime: Runtime) -> Iterator[str]:
    """Yield how the records differ from those of the tap, and what a log says that it should not."""
    with Sandbox(customers=_CUSTOMERS, users=len(_TEXTS), api_key=KEY) as sandbox:
        for name in ("users", "customers"):
            for row, text in zip(sandbox.rows(name), _TEXTS, strict=False):
                sandbox.store.update(name, row["id"], {"notes": text})
        streams = runtime.discover(sandbox)
        result = runtime.read(sandbox, streams.values())
        tap = records_of_the_tap(sandbox)
        yield from differences(streams, result.records, tap)
        yield from result.warnings
        yield from _leaks(sandbox, result)
        print(f"{sum(map(len, tap.values()))} records of {len(tap)} streams", flush=True)


def check_next_sync(runtime: Runtime) -> Iterator[str]:
    """Yield what a second sync misses: rows that changed after the first, or while it read their list."""
    with Sandbox(customers=_CUSTOMERS * 2, api_key=KEY) as sandbox:
        first_id, *_, last_id = (row["id"] for row in sandbox.rows("jobs"))
        streams = [runtime.discover(sandbox)["jobs"]]

        def change(request: RecordedRequest) -> None:
            if request.path == "/jobs" and request.query["page"] == "1":  # its page has been sent
                sandbox.store.update("jobs", first_id, {"notes": "changed after it was read"})
                later = datetime.fromtimestamp(datetime.now(timezone.utc).timestamp() + 5, timezone.utc)
                sandbox.store.patch("jobs", last_id, {"updated_at": f"{later:%Y-%m-%d %H:%M:%S}"})

        sandbox.on_request = change
        first = runtime.read(sandbox, streams, is_incremental=True)
        sandbox.on_request = None
        second = runtime.read(sandbox, streams, is_incremental=True, state=first.states)
        notes = {record["id"]: record.get("notes") for record in second.records["jobs"]}
        if notes.get(first_id) != "changed after it was read":
            yield "a row that changed while the list was read is not in the next sync"
        if len(notes) > len(first.records["jobs"]) / 2:
            yield f"the next sync has {len(notes)} of {len(first.records['jobs'])} rows"


def check_rate(runtime: Runtime) -> Iterator[str]:
    """Yield whether the streams together send more than the rate, or much less: then this shows nothing.

    The rate is low, so that a busy machine reaches it. Requests arrive a little later than they are sent, each by its
    own delay.
    """
    rate, delays = 10, 5
    with Sandbox(customers=_CUSTOMERS, api_key=KEY) as sandbox:
        streams = runtime.discover(sandbox)
        sandbox.requests.clear()
        runtime.read(sandbox, streams.values(), config={"requests_per_second": rate})
        times = sorted(request.arrived_at for request in sandbox.requests)
        most = max(sum(start <= time < start + 1 for time in times) for start in times)
        print(f"{len(times)} requests of {len(streams)} streams, {most} in the fullest second", flush=True)
        if not rate - delays <= most <= rate + delays:
            yield f"{most} requests in a second, the rate is {rate}"


def check_failures(runtime: Runtime) -> Iterator[str]:
    """Yield each case of `failures.py` that ends otherwise."""
    with Sandbox(customers=3, api_key=KEY) as sandbox:
        streams = runtime.discover(sandbox)

    def run(case: Case) -> list[str]:
        folder = runtime.folder / case.name.replace("/", " ")
        folder.mkdir()
        return [f"{case.name}: {problem}" for problem in _run_case(replace(runtime, folder=folder), streams, case)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for problems in pool.map(run, CASES):
            yield from problems


def _run_case(runtime: Runtime, streams: dict[str, Message], case: Case) -> Iterator[str]:
    with Sandbox(customers=_CUSTOMERS, api_key=KEY) as sandbox:
        for switch, value in case.switches.items():
            setattr(sandbox.behaviour, switch, value)
        for fault in case.faults:
            sandbox.add_fault(fault)
        result = runtime.read(sandbox, [streams[case.stream]])
        missing = len(sandbox.rows(case.stream)) - len({record["id"] for record in result.records[case.stream]})
        if case.error and (not result.status or case.error not in result.errors):
            yield f"exit status {result.status}, {result.errors}"
        if not case.error and (result.status or missing > case.missing_rows):
            yield f"exit status {result.status}, {missing} rows are missing: {result.errors}"
        if case.most_requests and len(sandbox.requests) > case.most_requests:
            yield f"{len(sandbox.requests)} requests"
        yield from _leaks(sandbox, result)


def check_pyairbyte(runtime: Runtime) -> Iterator[str]:
    """Yield what PyAirbyte does not bring into DuckDB; it reads twice, into the same tables."""
    with Sandbox(customers=_CUSTOMERS, api_key=KEY) as sandbox:
        for _ in range(2):
            database = runtime.folder / "account.duckdb"
            script = str(Path(__file__).with_name("read_into_duckdb.py"))
            # Without the network PyAirbyte would look for its registry.
            variables = {"AIRBYTE_OFFLINE_MODE": "1", "AIRBYTE_LOGGING_ROOT": str(runtime.folder)}
            ended = runtime.environment.run(
                ["python", script, str(MANIFEST), str(database), sandbox.url, sandbox.key], variables=variables
            )
            if ended.returncode:
                yield ended.stderr[-2000:]
                return
            tables = json.loads(Path(f"{database}.json").read_text())
            for name, records in records_of_the_tap(sandbox).items():
                if sorted(row["id"] for row in tables[name]) != sorted(record["id"] for record in records):
                    yield f"{name}: {len(tables[name])} rows, the tap has {len(records)}"
            totals = sum(Decimal(row["total"]) for row in tables["invoices"])
            expected = sum(Decimal(row["total"]) for row in sandbox.rows("invoices"))
            if totals != expected:
                yield f"the invoices sum up to {totals}, not {expected}"


def _leaks(sandbox: Sandbox, result: Result) -> Iterator[str]:
    if KEY in result.log:
        yield "the log has the API key"
    if any(row["email"] and row["email"] in result.log for row in sandbox.rows("customers")):
        yield "the log has an e-mail address"


CHECKS: dict[str, Check] = {
    "connection": check_connection,
    "records": check_records,
    "next-sync": check_next_sync,
    "rate": check_rate,
    "failures": check_failures,
    "pyairbyte": check_pyairbyte,
}

if __name__ == "__main__":
    sys.exit(main())
