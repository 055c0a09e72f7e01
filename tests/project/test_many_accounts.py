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
FINAL = {status for status in EXIT_STATUSES if isinstance(status, int)} - {0, 1}
"""The exit statuses after which another attempt would fail too."""


def print_jobs(accounts: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(KUBERNETES / "accounts.sh"), str(accounts)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def jobs_of(accounts: Path) -> list[Any]:
    return [job for job in yaml.safe_load_all(print_jobs(accounts).stdout) if job]


def test_dagster_retries_no_final_status() -> None:
    """Beside these, it does not retry a run that a person stopped."""
    constants = {
        target.id: node.value
        for node in ast.parse(DEFINITIONS).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    final = constants["FINAL"]
    assert isinstance(final, ast.Dict)
    keys = {ast.literal_eval(constants[key.id] if isinstance(key, ast.Name) else key) for key in final.keys if key}
    assert keys == FINAL | {129, 130, 143}


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


@pytest.mark.parametrize("name", ["North", "south-2", "2nd", "a b", "x" * 42, "$(id)", " north"])
def test_a_wrong_name_prints_no_job(tmp_path: Path, name: str) -> None:
    """`kubectl apply --prune` would remove the jobs of the accounts behind it."""
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
