"""Every command and snippet of the README and of docs/ works, or says what it needs.

Shell blocks of a page run in order, in one shell, in a folder of their own, against a sandbox of their own. A block
whose first line is a comment "Needs …" or "Changes …" is not run: the reader sees the reason. A line of output that a
block shows must appear in the real output.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
import yaml
from jsonschema import Draft7Validator
from sqlalchemy import create_engine, text

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES, WRITABLE
from fieldpulse_cli.mcp_server.command import mcp
from fieldpulse_cli.meltano import UTILITY_SETTINGS
from fieldpulse_plugin.environment import environment_variables
from fieldpulse_sandbox import poke
from fieldpulse_sandbox.sandbox import Sandbox
from scripts.docs.commands import fieldpulse_help, sandbox_help
from scripts.docs.documents import ROOT, pages
from scripts.docs.settings import Plugin
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.results import RunResult
from tests.harness.tap_runner import join_prefetch_threads, run_tap

SANDBOX_URL = "http://127.0.0.1:8787"
MARK = re.compile(r"# (Needs|Changes) .*: not run by the tests\.$")
PLUGINS: Mapping[str, Plugin] = {"extractors": TapFieldPulse, "loaders": TargetFieldPulse}
SQL_TYPES = {"integer": "bigint", "number": "numeric", "boolean": "boolean", "array": "jsonb", "object": "jsonb"}
SQL_FORMATS = {"x-singer.decimal": "numeric", "date-time": "timestamptz", "date": "date"}

# Starting a sandbox must end: it is stopped once it listens.
START_SANDBOX = """
fieldpulse-sandbox() {
    coproc box { exec fieldpulse-sandbox "$@" --port 0; }
    local pid=$box_PID line
    read -r line <&"${box[0]}"
    echo "$line"
    kill "$pid"
    wait "$pid"
    [[ $line == *url=http* ]]
}
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `file` is the name under which the text before it says to save it."""

    page: Path
    line_number: int
    language: str
    content: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line_number}"

    @property
    def is_run(self) -> bool:
        """Return whether the block carries no mark that it needs something."""
        return not MARK.match(self.content.splitlines()[0])


@dataclass(frozen=True)
class Step:
    """One command of a shell block, and the output that the block shows."""

    block: Block
    command: str
    output: tuple[str, ...]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield every fenced block of a page."""
    content = page.read_text("utf-8")
    for fence in re.finditer(r"^```(\S*)\n(.*?)^```$", content, re.DOTALL | re.MULTILINE):
        before = content[: fence.start()].rstrip().rpartition("\n\n")[2]
        named = re.search(r"as\s+`([\w.-]+)`:$", before)
        line_number = content.count("\n", 0, fence.start()) + 1
        yield Block(page, line_number, fence[1], fence[2], named[1] if named else None)


BLOCKS = [block for page in pages() for block in blocks_of(page)]


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages."""
    return [block for block in BLOCKS if block.language in languages]


def steps_of(block: Block) -> Iterator[Step]:
    """Yield the commands of a shell block: `$ ` begins one, `> ` goes on with it, all else is output."""
    command, output = "", []
    for line in block.content.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(block, command, tuple(output))
            command, output = line[2:], []
        elif line.startswith("> "):
            command += "\n" + line[2:]
        else:
            assert command, f"{block}: begins with neither a command nor a mark"
            output.append(line)
    yield Step(block, command, tuple(output))


def test_every_block_is_of_a_language_that_is_tested() -> None:
    """`text` is output, `mermaid` a picture, `ini` an .env file; a block without a language is nothing."""
    tested = {"console", "json", "yaml", "sql", "python", "ini", "text", "mermaid", "{toctree}"}
    assert [str(block) for block in BLOCKS if block.language not in tested] == []


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if any(block.is_run for block in blocks_of(page) if block.language == "console")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_work(page: Path, tmp_path: Path) -> None:
    """In their order, with the files that the page says to save."""
    with Sandbox(customers=20, api_key=f"key-of-{page.stem}") as sandbox:  # a rate limit of its own
        own = [block for block in blocks_of(page) if block.is_run]
        for block in own:
            if block.file:
                (tmp_path / block.file).write_text(on_sandbox(block.content, sandbox))
        steps = [step for block in own if block.language == "console" for step in steps_of(block)]
        for step, (status, output) in zip(steps, run_in_one_shell(steps, sandbox, tmp_path), strict=True):
            assert status == 0, f"{step.block}: {step.command}\n{output}"
            missing = [line for line in step.output if not shows(output, line)]
            assert missing == [], f"{step.block}: {step.command}\n{output}"


def on_sandbox(content: str, sandbox: Sandbox) -> str:
    """Return a text with the address and the key of a running sandbox in place of the usual ones."""
    return content.replace(SANDBOX_URL, sandbox.url).replace("sandbox-key", sandbox.key)


def run_in_one_shell(steps: list[Step], sandbox: Sandbox, folder: Path) -> list[tuple[int, str]]:
    """Run commands in one shell; return the status and the output of each."""
    ends = "\x1e"
    script = START_SANDBOX + "".join(f"{step.command}\nprintf '{ends}%s{ends}' $?\n" for step in steps)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    ended = subprocess.run(
        ["bash"],
        input=on_sandbox(script, sandbox),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    parts = ended.stdout.split(ends)
    return [(int(status), output) for output, status in zip(parts[::2], parts[1::2], strict=False)]


def shows(output: str, line: str) -> bool:
    """Return whether a line of a block is in the output; spaces do not count, and … stands for anything."""
    pattern = " ".join(line.replace("…", "*").split())
    return any(fnmatchcase(" ".join(real.split()), f"*{pattern}*") for real in output.splitlines())


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_options_and_settings_exist(page: Path) -> None:
    """Also those of blocks that are not run, and of the prose: `--pending`, `hard_delete: true`."""
    content = page.read_text("utf-8")
    typed = "\n".join(re.findall(r"^\$ (.*)", content, re.MULTILINE))
    typed = re.sub(r"\bmeltano [^|&;\n]*", "", typed)  # its options are its own
    commands = re.findall(r"(?<![\w/.@=-])(?:tap-|target-)?fieldpulse(?:-sandbox)? [^|&;\n]*", typed)
    options = {option for command in commands for option in re.findall(r"(?<!\S)--[a-z-]+", command)}
    options |= set(re.findall(r"`(--[a-z-]+[a-z])", content))
    assert options <= known_options() | {"--interval", "--no-install", "--full-refresh"}  # Meltano's
    with_bodies = ("api-facts.md", "sandbox/faults.md", "operations/fault-matrix.md")
    keys_of_bodies = {ROOT / "docs" / name for name in with_bodies}
    settings_of_others = {ROOT / "docs" / "operations" / "works-with.md", ROOT / "docs" / "target" / "sources.md"}
    if page not in keys_of_bodies | settings_of_others:
        assert set(re.findall(r"`([a-z][a-z_]*): [^`]+`", content)) <= known_names()


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_configuration_or_records(block: Block) -> None:
    """A configuration has known settings of a plugin; a record has properties that the target knows."""
    if (block.file or "").endswith(".singer"):
        messages = [json.loads(line) for line in block.content.splitlines()]
    else:
        messages = [json.loads(block.content)]
    for message in messages:
        if "mcpServers" in message:
            for server in message["mcpServers"].values():
                assert mcp.make_parser(click.Context(mcp)).parse_args(server["args"][1:])
                check_settings(
                    {name.removeprefix("TAP_FIELDPULSE_").lower(): value for name, value in server["env"].items()}
                )
        elif message.get("stream") not in BY_NAME and message.get("type") in ("SCHEMA", "RECORD"):
            assert block.file, "the record of a source is mapped by a command of the page"
        elif message.get("type") == "RECORD":
            check_record(message["stream"], message["record"])
        elif "type" not in message and block.file != "switches.json":
            check_settings(message)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_has_known_settings(block: Block) -> None:
    """Of Meltano definitions and of settings alike."""
    content = yaml.safe_load(block.content)
    for kind, definitions in content.pop("plugins", {}).items():
        for definition in definitions:
            if kind == "utilities":
                assert set(definition.get("config", {})) <= set(UTILITY_SETTINGS)
            elif "fieldpulse" in definition["name"]:  # the settings of others are their own
                check_definition(PLUGINS[kind], definition)
    check_settings(content.pop("config", {}))
    for name in ("select", "jobs", "schedules"):
        content.pop(name, None)
    check_settings(content)


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_environment_files_have_known_variables(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the plugins read them."""
    (tmp_path / ".env").write_text(block.content)
    monkeypatch.chdir(tmp_path)
    known = {
        f"{prefix}_FIELDPULSE_{name}".upper()
        for prefix, plugin in (("tap", TapFieldPulse), ("target", TargetFieldPulse))
        for name in plugin.config_jsonschema["properties"]
    }
    assert {line.partition("=")[0] for line in block.content.splitlines()} <= known & set(environment_variables())


@pytest.mark.parametrize("block", [each for each in blocks("python") if not each.file], ids=str)
def test_python_runs(block: Block) -> None:
    """As a script of its own would, against a sandbox. `receiver.py` has a test of its own in tests/tap/delivery/."""
    with Sandbox(customers=20, api_key=f"key-of-{block.page.stem}") as sandbox:
        exec(compile(on_sandbox(block.content, sandbox), str(block), "exec"), {})
    join_prefetch_threads()


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Return what two runs emit of every stream, of an account with a misfit and a job that is then deleted."""
    with Sandbox(customers=60) as sandbox:
        sandbox.store.patch("customers", sandbox.rows("customers")[0]["id"], {"parent_id": "n/a"})
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "detect_deletes": True}
        config["snapshot_url"] = f"sqlite:///{tmp_path_factory.mktemp('snapshot')}/snapshot.db"
        first = run_tap(config)
        sandbox.store.delete("jobs", sandbox.rows("jobs")[0]["id"])
        return RunResult(first.stdout + run_tap(config, state=first.state).stdout)


@pytest.fixture(scope="module")
def query(postgres: str, emitted: RunResult) -> Iterator[Callable[[str], int]]:
    """Load every stream of an account into PostgreSQL; return what runs a query there and counts its rows."""
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("create schema documentation"))
        connection.execute(text("set search_path to documentation"))
        for stream, schema in emitted.schemas.items():
            columns = ", ".join(f'"{name}" {sql_type(column)}' for name, column in schema["properties"].items())
            connection.execute(text(f"create table {stream} ({columns})"))
            if records := last_records(emitted, stream):
                load = (
                    f"insert into {stream} select * from jsonb_populate_recordset(null::{stream}, cast(:rows as jsonb))"
                )
                connection.execute(text(load), {"rows": json.dumps(records)})

        def run(statement: str) -> int:
            return len(connection.execute(text(statement)).all())

        yield run
        connection.rollback()
    engine.dispose()


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_queries_return_rows(block: Block, query: Callable[[str], int]) -> None:
    """On tables as a loader makes them."""
    assert query(block.content.rstrip().rstrip(";")) > 0


def last_records(emitted: RunResult, stream: str) -> list[dict[str, Any]]:
    """Return the last record of each key, as a loader that upserts keeps them."""
    return list({(record.get("stream"), record["id"]): record for record in emitted.records[stream]}.values())


@pytest.mark.parametrize(
    "block", [each for each in blocks("sql") if each.page.name == "deletes-and-changes.md"], ids=str
)
def test_the_recipes_for_deletes_work_in_duckdb(block: Block, emitted: RunResult) -> None:
    """As in PostgreSQL."""
    jobs, deleted = (last_records(emitted, stream) for stream in ("jobs", "deleted_rows"))
    with duckdb.connect() as connection:
        connection.execute("create table jobs (id bigint, job_type varchar)")
        connection.executemany("insert into jobs values (?, ?)", [(row["id"], row["job_type"]) for row in jobs])
        connection.execute(
            "create table deleted_rows (stream varchar, id bigint, deleted_at varchar, detected_at varchar)"
        )
        connection.executemany("insert into deleted_rows values (?, ?, ?, ?)", [tuple(row.values()) for row in deleted])
        assert connection.execute(block.content).fetchall()


def sql_type(column: Mapping[str, Any]) -> str:
    """Return the type of a column for a property of a schema."""
    types = [column["type"]] if isinstance(column["type"], str) else column["type"]
    if column.get("format") in SQL_FORMATS:
        return SQL_FORMATS[column["format"]]
    kinds = {name for name in types if name != "null"}
    return SQL_TYPES.get(kinds.pop(), "text") if len(kinds) == 1 else "jsonb"


def properties_of(plugin: Plugin) -> dict[str, Any]:
    """Return the schemas of a plugin's settings, with those of the SDK."""
    plugin.append_builtin_config(plugin.config_jsonschema)
    properties: dict[str, Any] = plugin.config_jsonschema["properties"]
    return properties


def check_settings(values: Mapping[str, Any]) -> None:
    """Check settings against the plugin that has them."""
    homes = [properties for plugin in PLUGINS.values() if set(values) <= set(properties := properties_of(plugin))]
    assert homes, f"no plugin has all of {sorted(values)}"
    Draft7Validator({"properties": homes[0]}).validate(dict(values))
    for stream, filters in values.get("filters", {}).items():
        assert set(filters) <= {each.name for each in BY_NAME[stream].filters}


def check_definition(plugin: Plugin, definition: Mapping[str, Any]) -> None:
    """Check a Meltano definition against its plugin: one that declares settings declares all."""
    properties = set(properties_of(plugin))
    assert (
        definition.get("inherit_from", definition["name"]) == definition.get("executable", plugin.name) == plugin.name
    )
    assert {setting["name"] for setting in definition.get("settings", [])} in (set(), properties)
    assert set(definition.get("capabilities", [])) <= {capability.value for capability in plugin.capabilities}
    streams = {pattern.lstrip("!").partition(".")[0] for pattern in definition.get("select", [])}
    assert streams <= {resource.name for resource in RESOURCES} | {"*", "change_events", "webhook_events"}
    check_settings(definition.get("config", {}))


@cache
def known_options() -> set[str]:
    """Return the options of every command."""
    helps = [fieldpulse_help(), sandbox_help(), poke.build_parser().format_help()]
    helps += [plugin.cli.get_help(click.Context(plugin.cli)) for plugin in PLUGINS.values()]
    return {option for text_of_help in helps for option in re.findall(r"--[a-z-]+[a-z]", text_of_help)} | {"--fault"}


@cache
def known_names() -> set[str]:
    """Return the settings of both plugins, and the properties of records that the target writes."""
    fields = {name for stream in WRITABLE if (spec := BY_NAME[stream].write_spec) for name in spec.properties}
    return fields.union(*(properties_of(plugin) for plugin in PLUGINS.values()))


def check_record(stream: str, record: Mapping[str, Any]) -> None:
    """Check that the target knows each property of a record."""
    spec = BY_NAME[stream].write_spec
    assert spec is not None, stream
    assert set(record) <= spec.properties | {"id", "external_id", "custom_fields"}
