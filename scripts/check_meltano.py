"""Check with the real Meltano what docs/getting-started/meltano.md promises, in a new project, as a newcomer.

Everything runs on this machine: two accounts of the sandbox, a PostgreSQL, and Meltano, which installs the plugins from
PyPI and from this repository. The first promise that does not hold ends the check with exit status 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from scripts.demo import ROOT, SQL, print_heading, run_postgres, run_sandbox

PAGE = ROOT / "docs" / "getting-started" / "meltano.md"
KEY, NORTH_KEY = "demo-key", "north-key"
JOBS = ("warehouse", "job-status", "receivables", "leads", "pipeline")
STORES = {
    "tap-fieldpulse--nightly/snapshot.db",
    "tap-fieldpulse--job-status/snapshot.db",
    "tap-fieldpulse--receivables/snapshot-history.db",
    "target-fieldpulse/ledger.db",
}


class Project:
    """A Meltano project in a folder, beside this repository under the name that the page gives it."""

    def __init__(self, folder: Path, name: str) -> None:
        link = folder / "singer-fieldpulse"
        if not link.exists():
            link.symlink_to(ROOT)
        self._parent, self.folder = folder, folder / name
        own = ("MELTANO", "TAP_", "TARGET_", "FIELDPULSE", "PYTHONPATH")
        self._environment = {key: text for key, text in os.environ.items() if not key.startswith(own)}
        self._environment |= {"NO_COLOR": "1", "UV_SYSTEM_CERTS": "1", "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"}
        self.run("init", name, folder=folder)

    def run(self, *arguments: str, status: int = 0, folder: Path | None = None, **variables: str) -> str:
        """Run Meltano, and return all that it prints. Raises: SystemExit if its exit status is another."""
        began_at = time.monotonic()
        result = subprocess.run(
            [str(Path(sys.executable).parent / "meltano"), *arguments],
            cwd=folder or self.folder,
            env=self._environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"   {time.monotonic() - began_at:5.1f} s  meltano {' '.join(arguments)}", flush=True)
        if result.returncode != status:
            raise SystemExit(f"{result.stdout}\nended with status {result.returncode}, not {status}")
        return result.stdout

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def expect(
    text: str, *parts: str, without: tuple[str, ...] = ("has no effect: the configuration", "did you mean", "Traceback")
) -> None:
    """End the check if a text lacks one of the parts, or has one that it must not have."""
    missing = [part for part in parts if part not in text]
    found = [part for part in without if part in text]
    if missing or found:
        raise SystemExit(f"{text}\nmissing: {missing}; unexpected: {found}")


def main() -> None:
    """Run the checks in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-meltano-"))
    try:
        (folder / "north").mkdir()
        with (
            run_sandbox(folder, KEY) as url,
            run_sandbox(folder / "north", NORTH_KEY, "--company-id", "77") as north_url,
            run_postgres(folder) as postgres,
        ):
            project = Project(folder, "project")
            _add_as_the_page_says(project, url)
            _check_utility(project, north_url)
            _run_use_cases(project, postgres.settings, [str(postgres.psql), "--quiet", postgres.address])
            _check_stores(project)
            _check_pasted_definitions(Project(folder, "pasted"), url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\nAll that the page promises holds.")


def _add_as_the_page_says(project: Project, url: str) -> None:
    print_heading("The plugins are added as docs/getting-started/meltano.md says; the key is in a file")
    commands = re.findall(r"^\$ meltano (add .*--from-ref .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    if len(commands) != 3:  # noqa: PLR2004  tap, target, utility
        raise SystemExit(f"the page adds {len(commands)} plugins")
    for command in commands:
        project.run(*command.split())
    project.write("key.txt", KEY)
    project.write(".env", "TAP_FIELDPULSE_API_KEY_FILE=key.txt\nTARGET_FIELDPULSE_API_KEY_FILE=key.txt\n")
    for plugin in ("tap-fieldpulse", "target-fieldpulse"):
        project.run("config", "set", plugin, "api_url", url)


def _check_utility(project: Project, north_url: str) -> None:
    print_heading("The utility has the settings of meltano.yml and .env, and can be told which account")
    expect(project.run("invoke", "fieldpulse:doctor"), "Verdict: ready", "tap-fieldpulse/snapshot.db")
    path = project.folder / "meltano.yml"
    content = yaml.safe_load(path.read_text())
    north = {"name": "tap-fieldpulse--north", "inherit_from": "tap-fieldpulse", "config": {"api_url": north_url}}
    content["plugins"]["extractors"].append(north)
    content["plugins"]["utilities"].append(
        {"name": "fieldpulse--north", "inherit_from": "fieldpulse", "config": {"tap": "tap-fieldpulse--north"}}
    )
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    refused = project.run("invoke", "fieldpulse--north:doctor", status=1)
    expect(refused, "API key", without=("Verdict: ready",))  # the key of the first account
    project.write("north.txt", NORTH_KEY)
    with (project.folder / ".env").open("a") as file:
        file.write("TAP_FIELDPULSE__NORTH_API_KEY_FILE=north.txt\n")
    expect(project.run("invoke", "fieldpulse--north:doctor"), "Verdict: ready", "tap-fieldpulse--north/snapshot.db")
    expect(
        project.run("invoke", "fieldpulse:doctor", FIELDPULSE_TAP="tap-fieldpulse--north"),
        "Verdict: ready",
        "tap-fieldpulse--north/snapshot.db",
    )
    wrong = project.run("invoke", "fieldpulse:status", status=2, FIELDPULSE_TAP="tap-fieldpulse--nort")
    expect(wrong, "has no extractor 'tap-fieldpulse--nort'")


def _run_use_cases(project: Project, postgres: dict[str, str], psql: list[str]) -> None:
    print_heading("The jobs of plugins/use-cases.meltano.yml run; two of them at the same time")
    shutil.copy(ROOT / "plugins" / "use-cases.meltano.yml", project.folder)
    path = project.folder / "meltano.yml"
    content, ours = yaml.safe_load(path.read_text()), yaml.safe_load((ROOT / "meltano.yml").read_text())
    content["include_paths"] = ["./use-cases.meltano.yml"]
    content["plugins"]["extractors"] += ours["plugins"]["extractors"]
    content["plugins"]["loaders"] += ours["plugins"]["loaders"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with (project.folder / ".env").open("a") as file:
        for plugin in ("TAP_POSTGRES", "TARGET_POSTGRES"):
            file.writelines(f"{plugin}_{name}={text}\n" for name, text in postgres.items())
    project.run("install")
    expect(project.run("schedule", "list"), *(f": {job} →" for job in JOBS))
    subprocess.run([*psql, "--file", str(SQL / "website_leads.sql")], check=True)
    with ThreadPoolExecutor() as pool:
        # With a snapshot, which a second run could not have.
        sweeps = {"TAP_FIELDPULSE_DETECT_DELETES": "true", "TAP_FIELDPULSE_DELETE_RECORDS": "true"}
        for log in pool.map(lambda job: project.run("run", job, **sweeps), ("warehouse", "job-status")):
            expect(log, "Run finished", "unproven=0 incomplete=0")
    expect(project.run("run", "receivables"), "Run finished", "streams=3")
    expect(project.run("run", "leads"), "5 created", "The ledger is new")
    expect(project.run("run", "pipeline"), "1 unchanged", without=("The ledger is new", "rejected: "))
    expect(project.run("schedule", "run", "lead-intake"), "0 created", "6 unchanged")


def _check_stores(project: Project) -> None:
    print_heading("Each pipeline has its stores; the utility shows all pipelines")
    folder = project.folder / ".fieldpulse"
    made = {str(path.relative_to(folder / "dev")) for path in (folder / "dev").rglob("*.db")}
    if not made >= STORES or list(folder.glob("*.db")):
        raise SystemExit(f"the stores are {sorted(made)}")
    subprocess.run(["git", "init", "--quiet"], cwd=project.folder, check=True)
    tracked = subprocess.run(
        ["git", "status", "--porcelain", "-uall", ".fieldpulse"], cwd=project.folder, check=True, capture_output=True
    )
    if tracked.stdout:
        raise SystemExit(f"Git would track {tracked.stdout.decode()}")
    status = project.run("invoke", "fieldpulse:status")
    expect(status, *(store.partition("/")[0] for store in STORES), "Nothing needs you")
    expect(project.run("invoke", "fieldpulse:rejects"), "No records are open")
    expect(project.run("invoke", "fieldpulse:ledger", "list"), "entries of account")
    project.run("invoke", "fieldpulse:report", "--output", "runs.html")
    expect((project.folder / "runs.html").read_text(), "tap-postgres--leads")
    expect(project.run("--environment", "prod", "invoke", "fieldpulse:runs"), "No run is recorded yet")


def _check_pasted_definitions(project: Project, url: str) -> None:
    print_heading("The definitions of the page do the same when they are pasted")
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (pasted,) = (block for block in blocks if "namespace" in block)
    with (project.folder / "meltano.yml").open("a") as file:
        file.write(pasted)
    project.write("key.txt", KEY)
    project.write(".env", f"TAP_FIELDPULSE_API_KEY_FILE=key.txt\nTAP_FIELDPULSE_API_URL={url}\n")
    expect(project.run("invoke", "tap-fieldpulse"), "Run finished", "incomplete=0")
    expect(project.run("invoke", "fieldpulse:status"), "Nothing needs you", "tap-fieldpulse")


if __name__ == "__main__":
    main()
