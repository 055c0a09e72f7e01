"""The workflows of GitHub: pinned, without rights that they do not need, and about this project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ALL = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@ALL
def test_actions_are_pinned_to_a_commit_with_its_version(path: Path) -> None:
    """A tag can be moved to other code."""
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    """Else one of two was forgotten."""
    lines = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text("utf-8"))}
    assert len(lines) == len({line.partition("@")[0] for line in lines})


@ALL
def test_a_job_has_a_time_limit_and_no_right_to_write(path: Path) -> None:
    """Only PyPI's trust needs a token, of which a job without other rights may ask."""
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 60, name
        assert job["permissions"] == ({"id-token": "write"} if name == "publish" else {"contents": "read"}), name


@ALL
def test_tasks_are_in_the_makefile(path: Path) -> None:
    """What fails there can be run here."""
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    runs = [step.get("run", "") for job in load(path)["jobs"].values() for step in job["steps"]]
    called = {task for run in runs for words in re.findall(r"make ([a-z -]+)", run) for task in words.split()}
    assert called <= tasks


def test_ci_runs_what_a_pull_request_must_pass() -> None:
    """The workflow does what `.ci/run` does."""
    lines = re.findall(r"^make ([^#\n]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    tasks = re.findall(r"(?<!\S)[a-z][a-z-]+", " ".join(lines))
    runs = [
        step.get("run") for job in load(ROOT / ".github/workflows/test.yml")["jobs"].values() for step in job["steps"]
    ]
    assert len(tasks) > 1
    assert [task for task in tasks if f"make {task}" not in runs] == []


def test_every_python_of_the_classifiers_is_tested() -> None:
    """A classifier is a promise."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    promised = set(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text))
    (minimum,) = re.findall(r'^requires-python = ">=(3\.\d+)"', text, re.MULTILINE)
    tested = set(load(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"])
    assert {minimum, *promised} <= tested
