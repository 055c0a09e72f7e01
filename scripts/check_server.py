"""Real tools read the files for servers and for GitHub: `make check-server`. The tests do without these tools.

hadolint reads the Dockerfile, systemd the units, Docker Compose the services, if it is installed, the schemas of
Kubernetes the jobs, and zizmor and the schema of GitHub the workflows. A tool that is missing is named, and what only
it can check was then not checked.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
WORKFLOWS = sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
_ENVIRONMENT = "POSTGRES_PASSWORD=none\nTAP_FIELDPULSE_API_KEY=none\n"


def main() -> None:
    """Run every tool, and exit with status 1 if one of them complains."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        failed = [name for name, is_good in _results(Path(folder)) if not is_good]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _results(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield the name of each check, and whether it passed."""
    yield "Dockerfile", _run("hadolint", str(ROOT / "Dockerfile"))
    units = [_with_an_executable(path, folder) for path in sorted((DEPLOY / "systemd").iterdir())]
    yield "systemd", _run("systemd-analyze", "verify", *units)
    timers = [time for unit in units for time in re.findall(r"OnCalendar=(.+)", Path(unit).read_text("utf-8"))]
    yield "timers", _run("systemd-analyze", "calendar", *timers)
    for name in ("compose.yaml",):  # beside the .env that it asks for, at any place
        (folder / name).write_text((DEPLOY / name).read_text("utf-8"), "utf-8")
    (folder / ".env").write_text(_ENVIRONMENT, "utf-8")
    yield "services", _run(*_compose(), "--file", str(folder / "compose.yaml"), "--profile", "*", "config")
    yield "schema of services", _schema("vendor.compose-spec", str(DEPLOY / "compose.yaml"))
    jobs = folder / "cronjobs.yaml"
    jobs.write_text(
        _output_of("sh", str(DEPLOY / "kubernetes" / "accounts.sh"), str(DEPLOY / "dagster" / "accounts.txt"))
    )
    for version in ("1.31", "1.37"):
        yield f"Kubernetes {version}", _run("kubernetes-validate", "--strict", "-k", version, str(jobs))
    yield "workflows", _run("zizmor", "--offline", "--persona=pedantic", str(ROOT / ".github"))
    yield "schema of workflows", _schema("vendor.github-workflows", *WORKFLOWS)
    yield "schema of dependabot", _schema("vendor.dependabot", str(ROOT / ".github" / "dependabot.yml"))


def _with_an_executable(unit: Path, folder: Path) -> str:
    """Copy a unit, with a program that this machine has: systemd asks whether it can be executed."""
    copy = folder / unit.name
    copy.write_text(
        re.sub(r"^(ExecStart=)/opt/\S+", r"\1/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE), "utf-8"
    )
    return str(copy)


def _compose() -> tuple[str, ...]:
    return ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")


def _output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _schema(name: str, *files: str) -> bool:
    return _run("check-jsonschema", "--builtin-schema", name, *files)


def _run(*command: str) -> bool:
    """Run a tool and print its output if it fails. A tool that is not installed passes, with a line that says so."""
    if not shutil.which(command[0]):
        print(f"not checked, {command[0]} is not installed: {command[-1]}")
        return True
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{'ok' if result.returncode == 0 else 'FAILED'}: {' '.join(command[:2])}")
    if result.returncode:
        print(result.stdout + result.stderr)
    return result.returncode == 0


if __name__ == "__main__":
    main()
