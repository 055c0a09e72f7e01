"""The files in `deploy/` for many accounts. `make accounts` runs Dagster; `make check-server` reads the jobs."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldpulse_plugin.exit_codes import EXIT_STATUSES

ROOT = Path(__file__).parents[2]
DAGSTER = ROOT / "deploy" / "dagster"
KUBERNETES = ROOT / "deploy" / "kubernetes"
DEFINITIONS = (DAGSTER / "definitions.py").read_text("utf-8")
CONSTANTS = {
    target.id: node.value
    for node in ast.parse(DEFINITIONS).body
    if isinstance(node, ast.Assign)
    for target in node.targets
    if isinstance(target, ast.Name)
}
STORES = ast.literal_eval(CONSTANTS["STORES"])
PAGE = (ROOT / "docs" / "operations" / "many-accounts.md").read_text("utf-8")
UNITS = [path.read_text("utf-8") for path in (ROOT / "deploy" / "systemd").glob("fieldpulse-accounts*")]
FINAL = {status for status in EXIT_STATUSES if isinstance(status, int)} - {0, 1}
"""The exit statuses after which another attempt would fail too."""


def print_jobs(accounts: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(KUBERNETES / "accounts.sh"), str(accounts)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def jobs_of(accounts: Path) -> list[Any]:
    return [job for job in yaml.safe_load_all(print_jobs(accounts).stdout) if job]


def test_dagster_retries_no_final_status() -> None:
    """Beside these, it does not retry a run that a person stopped."""
    final = CONSTANTS["FINAL"]
    assert isinstance(final, ast.Dict)
    keys = {ast.literal_eval(CONSTANTS[key.id] if isinstance(key, ast.Name) else key) for key in final.keys if key}
    assert keys == FINAL | {129, 130, 143}


def test_dagster_asks_for_runs_of_every_job() -> None:
    """The button "Materialize" runs the asset in a job of Dagster's own; `make accounts` presses it."""
    filters = [
        node
        for node in ast.walk(ast.parse(DEFINITIONS))
        if isinstance(node, ast.Call) and "RunsFilter" in ast.dump(node.func)
    ]
    assert filters
    assert [ast.unparse(node) for node in filters if "job_name" in {word.arg for word in node.keywords}] == []


def test_the_page_installs_what_the_units_use() -> None:
    """Their folders and environments; their settings, from the file that a shell reads too."""
    assert len(UNITS) == len(["daemon", "webserver"])
    folders = set(re.findall(r"install -d [^\n]*-m 700 (.*)", PAGE)[0].split())
    for unit in UNITS:
        value = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
        assert value["WorkingDirectory"] in folders
        assert f"deploy/dagster/dagster.env {value['EnvironmentFile']}\n" in PAGE
        assert value["ExecStart"].startswith("/opt/dagster/bin/dagster-")
        assert f"useradd --system --home-dir {min(folders)} {value['User']}\n" in PAGE
    copied = re.findall(
        r"(?<= )(?:deploy|plugins)/[\w./*-]+", "\n".join(re.findall(r"^\$ (?:cp|install|sed) .*", PAGE, re.MULTILINE))
    )
    assert [name for name in copied if not list(ROOT.glob(name))] == []
    assert {"deploy/dagster/definitions.py", "deploy/dagster/*.yaml", "deploy/meltano.yml"} <= set(copied)


def test_a_shell_and_systemd_read_the_same_settings() -> None:
    """Systemd takes a line as it is, but for the quotes around a value; and every setting has a reader."""
    lines = (DAGSTER / "dagster.env").read_text("utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    command = f"set -a; . {DAGSTER / 'dagster.env'}; env"
    printed = subprocess.run(["/bin/sh", "-c", command], env={}, capture_output=True, text=True, check=True).stdout
    assert {f"{name}={value.strip(chr(34))}" for name, value in settings.items()} <= set(printed.splitlines())
    read = set(re.findall(r"FIELDPULSE_[A-Z_]+", DEFINITIONS)) | {"MELTANO_PROJECT_ROOT", "MELTANO_DATABASE_URI"}
    others = {"PATH", "DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "TAP_FIELDPULSE_SNAPSHOT_URL"}
    assert set(settings) <= read | others | {"TARGET_POSTGRES_SQLALCHEMY_URL"}


def test_the_page_deletes_from_the_tables_of_the_snapshot() -> None:
    """Their names have the version of their columns."""
    source = (ROOT / "tap_fieldpulse" / "changes" / "snapshot.py").read_text("utf-8")
    assert sorted(re.findall(r"delete from (\w+)", PAGE)) == sorted(
        re.findall(r'"(fieldpulse_snapshot\w*_\d)"', source)
    )


def test_the_page_installs_the_versions_of_the_image() -> None:
    """Meltano and the loader, with which the tests of this project have loaded every stream."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    for command in re.findall(r"/opt/(?:meltano|target-postgres)/bin/pip install (.*)", PAGE):
        assert f"--no-cache-dir {command}" in dockerfile


def test_kubernetes_retries_no_final_status() -> None:
    """The rule names the container, and its pod is not restarted in place."""
    (job, *_) = jobs_of(DAGSTER / "accounts.txt")
    spec = job["spec"]["jobTemplate"]["spec"]
    (rule,) = (rule["onExitCodes"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert (rule["operator"], set(rule["values"])) == ("In", FINAL)
    pod = spec["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == [rule["containerName"]]
    assert pod["restartPolicy"] == "Never"


def test_the_job_of_an_account_is_its_own(tmp_path: Path) -> None:
    """Its name, its state, its schema and its key; comments and empty lines are no accounts."""
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("# all\nnorth\n\nsouth_2")  # the last line without its end
    north, south = jobs_of(accounts)
    assert [job["metadata"]["name"] for job in (north, south)] == ["fieldpulse-north", "fieldpulse-south-2"]
    assert north["spec"]["schedule"] != south["spec"]["schedule"]
    pod = south["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][-2:] == ["--state-id-suffix", "south_2"]
    assert {"name": "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA", "value": "south_2"} in container["env"]
    (secret,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    assert [item["key"] for item in secret["items"]] == ["south_2"]
    assert not re.search("ACCOUNT|MINUTE|JOB|north", print_jobs(accounts).stdout.split("---")[2])


@pytest.mark.parametrize("name", ["North", "south-2", "2nd", "a b", "x" * 42, "$(id)", " north", *STORES])
def test_a_wrong_name_prints_no_job(tmp_path: Path, name: str) -> None:
    """`kubectl apply --prune` would remove the jobs of the accounts behind it. Dagster refuses `STORES` too."""
    accounts = tmp_path / "accounts.txt"
    accounts.write_text(f"north\n{name}\nsouth\n")
    result = print_jobs(accounts)
    assert (result.returncode, result.stdout) == (2, "")
    assert name in result.stderr


def test_the_image_of_the_jobs_has_what_they_need() -> None:
    """The pod's file system is read-only: what Meltano writes has a volume."""
    (job, *_) = jobs_of(DAGSTER / "accounts.txt")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert container["args"][:5] == ["fieldpulse", "meltano", "run", "tap-fieldpulse", "target-postgres"]
    assert "WORKDIR /project" in dockerfile
    assert {"/project/.meltano", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert re.search(r"^ +XDG_STATE_HOME=/project/.meltano$", dockerfile, re.MULTILINE)  # of Meltano's logs
    assert (
        f"USER {job['spec']['jobTemplate']['spec']['template']['spec']['securityContext']['runAsUser']}" in dockerfile
    )
