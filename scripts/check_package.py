"""The package as users get it: `make package` builds it into `dist/`, installs it without extras, and runs it.

Each Python that is named (`make package PYTHONS="python3.10 python3.13"`) gets an environment of its own, with
the wheel and nothing of this clone. There every command either works or says in one message which extra it lacks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
KEY = "package-key"
NEEDS_EXTRA = {
    ("fieldpulse", "report"): "report",
    ("fieldpulse", "serve"): "report,webhooks",
    ("fieldpulse", "webhooks"): "webhooks",
    ("fieldpulse", "mcp"): "mcp",
    ("fieldpulse", "ledger", "--ledger-url", "postgresql://127.0.0.1:1/none", "list"): "postgres",
    ("fieldpulse-sandbox",): "sandbox",
}
"""Commands without the extra that each needs."""
_WITHOUT_COMMAND = {"dev", "demo", "docs", "redis", "release"}
_SECONDS = 300


def main() -> None:
    """Build, install and run the package. Raises: SystemExit, with what is wrong."""
    version = _build()
    wheel = DIST / f"singer_fieldpulse-{version}-py3-none-any.whl"
    _check_contents(wheel, DIST / f"singer_fieldpulse-{version}.tar.gz")
    for python in sys.argv[1:] or [sys.executable]:
        with tempfile.TemporaryDirectory() as folder:
            Installation(python, wheel, Path(folder)).check()
    print(f"The package is in {DIST.relative_to(ROOT)}/")


def _build() -> str:
    """Build a source distribution, and the wheel from it. Returns the version."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run([sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT)])
    _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(DIST.iterdir()))])
    (version,) = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    return version


def _check_contents(wheel: Path, source: Path) -> None:
    """Check that both have every file of the packages in git, and no other one but metadata."""
    packages = [path.parent.name for path in ROOT.glob("*/py.typed")]
    tracked = set(_run(["git", "-C", str(ROOT), "ls-files", *packages]).stdout.split())
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as archive:
        in_source = {member.name.partition("/")[2] for member in archive if member.isfile()}
    _expect(in_wheel == tracked, f"the wheel differs from git in {sorted(in_wheel ^ tracked)}")
    others = in_source - tracked - {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
    _expect(not tracked - in_source and not others, f"the sdist differs in {sorted((tracked - in_source) | others)}")
    print(f"ok: wheel and sdist have the {len(tracked)} files of {len(packages)} packages")


class Installation:
    """The wheel in a new environment of one Python, with an empty folder to run in."""

    def __init__(self, python: str, wheel: Path, folder: Path) -> None:
        self._bin, self._folder = folder / "venv" / "bin", folder / "run"
        self._folder.mkdir()
        self._environment = {"PATH": f"{self._bin}:{os.defpath}", "HOME": str(folder), "TMPDIR": str(folder)}
        _run([python, "-m", "venv", str(folder / "venv")])
        _run([str(self._bin / "python"), "-m", "pip", "install", "--quiet", str(wheel)])
        _run([str(self._bin / "python"), "-m", "pip", "check"])
        self._name = self._output("python", "--version").strip()

    def check(self) -> None:
        """Run each command. Raises: SystemExit, with what is wrong."""
        commands = self._check_helps()
        self._check_extras()
        with _sandbox(self._folder) as url:
            self._check_pipelines(url)
        print(f"ok: {self._name}: tap, target, and {commands} commands of fieldpulse, without extras")

    def _check_helps(self) -> int:
        for plugin in ("tap-fieldpulse", "target-fieldpulse"):
            _expect("0" in self._output(plugin, "--version"), f"{plugin} has no version")
            json.loads(self._output(plugin, "--about", "--format=json"))
        commands = re.findall(
            r"^  (\w+)  ", self._output("fieldpulse", "--help").partition("Commands:")[2], re.MULTILINE
        )
        for command in commands:
            self._output("fieldpulse", command, "--help")
        self._output("fieldpulse-sandbox", "--help")
        return len(commands)

    def _check_extras(self) -> None:
        """Check that a command whose extra is missing names it, and what to type."""
        extras = set(re.findall(r"^(\w+) = \[", _section("project.optional-dependencies"), re.MULTILINE))
        known = {extra for text in NEEDS_EXTRA.values() for extra in text.split(",")} | _WITHOUT_COMMAND
        _expect(extras <= known, f"NEEDS_EXTRA has no command for the extras {sorted(extras - known)}")
        for command, extra in NEEDS_EXTRA.items():
            variables = {"TAP_FIELDPULSE_API_KEY": KEY, "TAP_FIELDPULSE_WEBHOOK_TOKEN": "w" * 40}
            result = self._run(*command, is_checked=False, **variables)
            is_named = f"singer-fieldpulse[{extra}]" in result.stderr or f"`{extra}`" in result.stderr
            is_error = result.returncode == 2 and "Traceback" not in result.stderr  # noqa: PLR2004  a user's to correct
            _expect(is_named and is_error, f"{' '.join(command)} does not name the extra {extra}:\n{result.stderr}")

    def _check_pipelines(self, url: str) -> None:
        """Read an account, write a customer, and ask for the status of both runs."""
        config = json.dumps({"api_key": KEY, "api_url": url, "rate_limit_store": "memory"})
        (self._folder / "config.json").write_text(config, "utf-8")
        output = self._output("tap-fieldpulse", "--config", "config.json")
        _expect('"type":"RECORD"' in output, "the tap has read no record")
        schema = {"properties": {"external_id": {"type": "string"}, "first_name": {"type": "string"}}}
        messages = (
            {"type": "SCHEMA", "stream": "customers", "schema": schema, "key_properties": ["external_id"]},
            {"type": "RECORD", "stream": "customers", "record": {"external_id": "1", "first_name": "Ada"}},
        )
        written = self._run(
            "target-fieldpulse", "--config", "config.json", stdin="".join(f"{json.dumps(each)}\n" for each in messages)
        )
        _expect("1 created" in written.stderr, f"the target has written nothing:\n{written.stderr}")
        self._output("fieldpulse", "doctor", TAP_FIELDPULSE_API_KEY=KEY, TAP_FIELDPULSE_API_URL=url)
        _expect("target-fieldpulse" in self._output("fieldpulse", "status"), "the status lacks the run of the target")
        _expect("ledger.db" in self._output("fieldpulse", "backup", "../backup"), "the backup lacks the ledger")

    def _output(self, *command: str, **variables: str) -> str:
        return self._run(*command, **variables).stdout

    def _run(
        self, *command: str, stdin: str = "", is_checked: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        words = [str(self._bin / command[0]), *command[1:]]
        return _run(words, stdin=stdin, cwd=self._folder, env=self._environment | variables, is_checked=is_checked)


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    """Run the sandbox of this clone, which has its extra, and yield its URL."""
    command = [
        sys.executable,
        "-m",
        "fieldpulse_sandbox",
        "--port",
        "0",
        "--api-key",
        KEY,
        "--customers",
        "10",
        "--quiet",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            match = re.search(r"url=(\S+)", process.stdout.readline() if process.stdout else "")
            _expect(bool(match), f"the sandbox did not start in {folder}")
            yield match[1] if match else ""
        finally:
            process.terminate()


def _section(name: str) -> str:
    """Return a table of pyproject.toml; Python 3.10 has no parser of it."""
    return (ROOT / "pyproject.toml").read_text("utf-8").partition(f"\n[{name}]\n")[2].partition("\n[")[0]


def _run(
    command: list[str],
    *,
    stdin: str = "",
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    is_checked: bool = True,
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, input=stdin, cwd=cwd, env=env, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if is_checked:
        _expect(result.returncode == 0, f"{' '.join(command)} ended with {result.returncode}:\n{result.stderr[-3000:]}")
    return result


def _expect(is_so: bool, problem: str) -> None:  # noqa: FBT001  a condition, as of `assert`
    if not is_so:
        raise SystemExit(problem)


if __name__ == "__main__":
    main()
