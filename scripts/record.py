"""Recording of the cassettes: on the sandbox, or with `--live` on a real account, read-only and scrubbed.

A live recording reads the first three rows of each list once, with the API key in FIELDPULSE_API_KEY.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
ACCOUNTS = {"8790": "6", "8791": "80"}  # port: customers


def main() -> None:
    """Record, and exit with the status of the tests."""
    live = "--live" in sys.argv[1:]
    if live and not os.environ.get("FIELDPULSE_API_KEY"):
        raise SystemExit("set FIELDPULSE_API_KEY to the key of the account to record")
    if not live:
        os.environ.pop("FIELDPULSE_API_KEY", None)
        shutil.rmtree(ROOT / "cassettes" / "sandbox", ignore_errors=True)
    with _sandboxes():
        status = _run_tests("test_a_list" if live else "")
    if live:
        print("Review cassettes/live before you share it: names and notes are removed, ids and amounts are not.")
    raise SystemExit(status)


@contextmanager
def _sandboxes() -> Iterator[None]:
    processes = []
    try:
        for port, customers in ACCOUNTS.items():
            arguments = ["--port", port, "--customers", customers, "--api-key", "cassette-key", "--quiet"]
            command = [sys.executable, "-m", "fieldpulse_sandbox", *arguments]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for process in processes:
            print((process.stdout or sys.stdin).readline(), end="", flush=True)
        yield
    finally:
        for process in processes:
            process.terminate()
            process.communicate()


def _run_tests(only: str) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/project/test_cassettes.py",
        "--record-mode=rewrite",
        "-k",
        only,
    ]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    main()
