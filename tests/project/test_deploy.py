"""The files in deploy/ and the Dockerfile name only what exists; `make check-server` lets real tools read them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldpulse_cli.main import COMMANDS
from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.settings import TAP_SETTINGS
from target_fieldpulse.settings import TARGET_SETTINGS
from tests.works_with.loaders.postgres import TARGET_POSTGRES

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SETTINGS = {"TAP": {**SHARED_SETTINGS, **TAP_SETTINGS}, "TARGET": {**SHARED_SETTINGS, **TARGET_SETTINGS}}
UNITS = sorted((DEPLOY / "systemd").iterdir())


def test_the_image_has_every_package() -> None:
    """A package that the Dockerfile does not copy would be missing from the image alone."""
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    wheel = pyproject.partition("[tool.hatch.build.targets.wheel]")[2].partition("]")[0]
    packages = re.findall(r'"(\w+)"', wheel)
    assert sorted(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)) == sorted(packages)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    globs = [line[1:].rstrip("/") for line in ignored if line.startswith("!")]
    for name in (
        *packages,
        "plugins/fieldpulse.meltano.yml",
        "deploy/meltano.yml",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    ):
        assert any(Path(name).match(glob) for glob in globs), name


def test_the_image_has_the_loader_that_was_compared() -> None:
    """`make works-with` compares every cell of this version."""
    assert set(TARGET_POSTGRES.packages) <= set(re.findall(r"[\w-]+==[\d.]+", DOCKERFILE))


def test_definitions_without_an_installation_are_whole() -> None:
    """The image removes the lines of `pip_url`, so that Meltano takes the plugins from PATH."""
    text = (ROOT / "plugins" / "fieldpulse.meltano.yml").read_text("utf-8")
    whole = yaml.safe_load(text)["plugins"]
    definitions = yaml.safe_load(re.sub(r"(?m)^ *pip_url:.*\n", "", text))["plugins"]
    for kind in ("extractors", "loaders", "utilities"):
        (definition,) = whole[kind]
        assert definition.pop("pip_url")
    assert definitions == whole


@pytest.mark.parametrize("path", [path for path in DEPLOY.rglob("*.*") if path.is_file()], ids=lambda p: p.name)
def test_variables_are_settings(path: Path) -> None:
    """A misspelt one would be ignored."""
    found = re.findall(r"\b(TAP|TARGET)_FIELDPULSE_([A-Z_]+)", path.read_text("utf-8"))
    assert [name for plugin, name in found if name.lower() not in SETTINGS[plugin]] == []


def test_the_project_of_the_image_sets_only_settings() -> None:
    """Meltano ignores others without a word."""
    project = load(DEPLOY / "meltano.yml")
    (environment,) = project["environments"]
    (extractor,) = environment["config"]["plugins"]["extractors"]
    assert set(extractor["config"]) <= set(SETTINGS["TAP"])
    (loader,) = project["plugins"]["loaders"]
    assert set(loader["config"]) <= {setting["name"] for setting in loader["settings"]}
    assert loader["env"] == dict(TARGET_POSTGRES.variables)
    services = load(DEPLOY / "compose.yaml")["services"]
    variables = {name.removeprefix("TARGET_POSTGRES_").lower() for name in services["sync"]["environment"]}
    assert {"sqlalchemy_url"} <= variables & {setting["name"] for setting in loader["settings"]}


def test_the_stores_are_not_in_the_schema_of_the_warehouse() -> None:
    """PostgreSQL makes a table in the schema of the user's name, if there is one: a reload would drop the stores."""
    project, compose = load(DEPLOY / "meltano.yml"), load(DEPLOY / "compose.yaml")["services"]
    schema = project["plugins"]["loaders"][0]["config"]["default_target_schema"]
    assert schema == compose["postgres"]["environment"]["POSTGRES_USER"]
    for name in set(compose) - {"postgres"}:
        assert compose[name]["environment"]["PGOPTIONS"] == f"-c search_path=public,{schema}"


def test_every_command_exists() -> None:
    """In units, in the crontab, and in the services of the containers."""
    text = "\n".join(path.read_text("utf-8") for path in (*UNITS, DEPLOY / "fieldpulse.cron"))
    called = re.findall(r"(?:bin/|&& |\(|exec )fieldpulse (\w+)", text)
    for service in load(DEPLOY / "compose.yaml")["services"].values():
        called += service.get("command", ["fieldpulse", "status"])[1:2]
    assert {"status", "backup", "webhooks", "serve"} <= set(called)
    assert [name for name in called if name not in COMMANDS] == []


def test_the_lines_of_the_crontab_are_commands() -> None:
    """Five times, a user, and what a shell can read; cron would end a command at a bare `%`."""
    lines = [line for line in (DEPLOY / "fieldpulse.cron").read_text("utf-8").splitlines() if re.match(r"[\d*]", line)]
    assert len(lines) == len(["sync", "status", "backup"])
    for line in lines:
        *times, user, command = line.split(maxsplit=6)
        assert all(re.fullmatch(r"\*|\d+", time) for time in times), line
        assert user == "fieldpulse"
        assert not re.search(r"(?<!\\)%", command), line
        assert subprocess.run(["sh", "-n", "-c", command.replace("\\%", "%")], check=False).returncode == 0, line


def test_every_timer_has_its_service_and_every_unit_is_in_the_docs() -> None:
    """The names of both are the same but for the end."""
    names = {path.name for path in UNITS}
    assert [name for name in names if name.endswith(".timer") and name.replace(".timer", ".service") not in names] == []
    page = (ROOT / "docs" / "operations" / "on-a-server.md").read_text("utf-8")
    assert [path.stem for path in UNITS if f"`{path.stem}`" not in page] == []


def test_every_service_has_time_to_end() -> None:
    """A run ends within 20 seconds of a signal; whoever waits less kills it."""
    services = load(DEPLOY / "compose.yaml")["services"]
    assert {service["stop_grace_period"] for name, service in services.items() if name != "postgres"} == {"30s"}
    stops = [re.search(r"^TimeoutStopSec=(\d+)$", path.read_text("utf-8"), re.MULTILINE) for path in UNITS]
    assert {stop[1] for stop in stops if stop} == {"30"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))
