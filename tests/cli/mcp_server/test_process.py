"""`fieldpulse mcp` as a process: driven by the SDK's client, by a hostile client, and by clients that go away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from sqlalchemy import select

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_cli.main import commands
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.tables import ENTRIES

COMMAND = ["-m", "fieldpulse_cli", "mcp"]
SECONDS = 60
INITIALIZE = {
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}


def environment_of(sandbox: Sandbox, **variables: str) -> dict[str, str]:
    """Return the environment of a server that may write to a sandbox."""
    own = {"TARGET_FIELDPULSE_API_KEY": sandbox.key, "TARGET_FIELDPULSE_API_URL": sandbox.url}
    others = {name: value for name, value in os.environ.items() if "FIELDPULSE" not in name}
    return {**others, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **own, **variables}


def line_of(message: dict[str, Any]) -> bytes:
    """Return a JSON-RPC message as a line."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def call_of(number: int, tool: str, **arguments: Any) -> bytes:
    """Return the line of a call."""
    return line_of({"id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})


@contextmanager
def server(sandbox: Sandbox, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server whose client writes raw lines, with the handshake done."""
    command = [sys.executable, *COMMAND, "--allow-writes", "--directory", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment_of(sandbox), stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            send(process, line_of({"id": 0, **INITIALIZE}), line_of({"method": "notifications/initialized"}))
            assert receive(process)["result"]["serverInfo"]["name"] == "fieldpulse"
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[bytes], *lines: bytes) -> None:
    """Write lines to a server."""
    assert process.stdin
    for line in lines:
        process.stdin.write(line)
    process.stdin.flush()


def receive(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the next message of a server."""
    assert process.stdout
    message: dict[str, Any] = json.loads(process.stdout.readline())
    return message


def begin_write(process: subprocess.Popen[bytes], sandbox: Sandbox) -> None:
    """Confirm a create, and return once FieldPulse has it, a second before it responds."""
    record = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com"}
    send(process, call_of(101, "plan_write", stream="customers", record=record))
    plan_id = receive(process)["result"]["structuredContent"]["plan_id"]
    sandbox.add_fault(Fault("slow_response", method="POST", after_commit=True, seconds=1))
    is_sent = threading.Event()
    sandbox.on_request = lambda request: is_sent.set() if request.method == "POST" else None
    send(process, call_of(102, "confirm_write", plan_id=plan_id))
    assert is_sent.wait(SECONDS)


def statuses_in_ledger(folder: Path) -> list[str]:
    """Return the states of all entries of a folder's ledger."""
    url = f"sqlite:///{folder}/.fieldpulse/ledger.db"
    with closing(LedgerDatabase(url)) as database, database.begin() as connection:
        return [entry.status for entry in connection.execute(select(ENTRIES))]


def test_the_sdks_client_reads_and_writes(sandbox: Sandbox, tmp_path: Path) -> None:
    """A real client lists the tools, searches, reads, plans and confirms; the log has no personal data."""
    log_path = tmp_path / "log"

    async def drive() -> None:
        parameters = StdioServerParameters(
            command=sys.executable,
            args=[*COMMAND, "--allow-writes"],
            env=environment_of(sandbox),
            cwd=tmp_path,
        )
        with log_path.open("w") as log:
            async with Client(stdio_client(parameters, errlog=log)) as client:
                tools = {tool.name: tool for tool in (await client.list_tools()).tools}
                assert list(tools) == [
                    *("describe", "list_rows", "search_rows", "get_row", "plan_write", "confirm_write")
                ]
                assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == [
                    "confirm_write"
                ]
                customer = sandbox.rows("customers")[3]
                found = await client.call_tool("search_rows", {"stream": "customers", "text": customer["display_name"]})
                assert found.structured_content == json.loads(found.content[0].text)
                assert customer["id"] in {row["id"] for row in found.structured_content["rows"]}
                record = {"id": customer["id"], "notes": "Ring the bell at Zoë's."}
                plan = await client.call_tool("plan_write", {"stream": "customers", "record": record})
                plan_id = plan.structured_content["plan_id"]
                result = await client.call_tool("confirm_write", {"plan_id": plan_id})
                assert result.structured_content["outcome"] == "updated"
                failed = await client.call_tool("get_row", {"stream": "customers", "id": 1})
                assert failed.is_error

    anyio.run(drive)
    assert sandbox.rows("customers")[3]["notes"] == "Ring the bell at Zoë's."
    log = log_path.read_text()
    assert "confirm_write: done" in log
    assert "Ring" not in log
    assert sandbox.rows("customers")[3]["display_name"] not in log


def test_a_hostile_client_gets_an_answer_to_each_line(sandbox: Sandbox, tmp_path: Path) -> None:
    """Broken lines, unknown methods and wrong parameters are answered with errors, and the server goes on.

    A call that was cancelled does not hold up the next one. A client that goes away in the middle of a write leaves its
    outcome in the ledger.
    """
    with server(sandbox, tmp_path) as process:
        broken = [
            b"{broken\n",
            b"[]\n",
            b"\xff\xfe\x00\n",
            b'"' + b"x" * (5 << 20) + b'"\n',
            b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\ud800"}}\n',
            b'{"jsonrpc":"2.0","id":8,"method":"tools/call","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001 + b"\n",
        ]
        send(process, *broken)
        errors = [receive(process) for _ in broken]
        assert [error["error"]["code"] for error in errors] == [-32700] * len(broken)
        assert [error["id"] for error in errors] == [None, None, None, None, 7, None]
        requests = [
            line_of({"id": 10, "method": "no/such"}),
            line_of({"id": 11, "method": "tools/call", "params": {"name": ["x"], "arguments": "x"}}),
            call_of(12, "no_such_tool"),
            call_of(13, "confirm_write", plan_id="plan-guess"),
            call_of(14, "list_rows", stream="jobs", limit=1e999),
        ]
        send(process, line_of({"method": "notifications/cancelled", "params": {"requestId": 99}}), *requests)
        answers = {answer["id"]: answer for answer in (receive(process) for _ in requests)}  # in any order
        assert "error" in answers[10]
        assert "error" in answers[11]
        assert answers[12]["result"]["isError"]
        assert answers[13]["result"]["isError"]
        send(process, call_of(15, "list_rows", stream="jobs", limit=2))
        assert answers[14]["result"]["isError"]
        answer = receive(process)
        assert (answer["id"], len(answer["result"]["structuredContent"]["rows"])) == (15, 2)
        sandbox.add_fault(Fault("slow_response", path="/jobs", seconds=SECONDS))
        cancel = line_of({"method": "notifications/cancelled", "params": {"requestId": 16}})
        send(process, call_of(16, "list_rows", stream="jobs"), cancel, call_of(17, "list_rows", stream="tags"))
        answer = receive(process)  # of the call behind the one that was cancelled, which still waits for FieldPulse
        assert (answer["id"], answer["result"].get("isError", False)) == (17, False)
        assert not [request for request in sandbox.requests if request.method != "GET"]
        begin_write(process, sandbox)
        assert process.stdin
        process.stdin.close()
        assert process.wait(SECONDS) == 0
        assert process.stdout
        assert process.stdout.read() == b""
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()
    assert statuses_in_ledger(tmp_path) == ["written"]


def test_a_write_under_way_ends_in_order(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signal leaves no write without its outcome in the ledger. The test above does the same by closing the pipe."""
    with server(sandbox, tmp_path) as process:
        begin_write(process, sandbox)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 128 + signal.SIGTERM
    assert statuses_in_ledger(tmp_path) == ["written"]


def test_a_server_without_a_key_for_writing_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, before the client is answered."""
    for name in [name for name in os.environ if "FIELDPULSE" in name]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY", "only-for-reading")
    with pytest.raises(ConfigError, match="no API key for writing") as caught:
        commands.main(["mcp", "--allow-writes"], standalone_mode=False)
    assert "TARGET_FIELDPULSE_API_KEY" in caught.value.where


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK, the command says what to install."""
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    monkeypatch.delitem(sys.modules, "fieldpulse_cli.mcp_server.server", raising=False)
    with pytest.raises(UserError) as caught:
        commands.main(["mcp"], standalone_mode=False)
    assert caught.value.hint == "pip install 'singer-fieldpulse[mcp]'"
