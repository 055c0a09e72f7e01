"""Airbyte's runtime for manifests, `source-declarative-manifest`, run as a process of an environment of its own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from scripts.docs.airbyte import CDK_VERSION
from scripts.docs.documents import ROOT
from tests.works_with.environments import Environment

MANIFEST = ROOT / "airbyte" / "manifest.yaml"
PACKAGES = (f"airbyte-cdk=={CDK_VERSION}", "airbyte==0.71.3")
"""The runtime, and PyAirbyte."""

Message = dict[str, Any]
_LOUD = ("WARN", "ERROR", "FATAL")


@dataclass(frozen=True)
class Result:
    """What the runtime printed, and its exit status."""

    status: int
    messages: list[Message]
    stderr: str

    @cached_property
    def records(self) -> dict[str, list[Message]]:
        """Return the records by stream."""
        records = defaultdict(list)
        for record in self._of_type("RECORD"):
            records[record["stream"]].append(record["data"])
        return records

    @property
    def states(self) -> list[Message]:
        """Return the last state of each stream, in the form of an input state."""
        last = {state["stream"]["stream_descriptor"]["name"]: state for state in self._of_type("STATE")}
        return [{"type": "STREAM", "stream": state["stream"]} for state in last.values()]

    @property
    def errors(self) -> str:
        """Return the messages of all errors."""
        return "\n".join(trace["error"]["message"] for trace in self._of_type("TRACE") if trace["type"] == "ERROR")

    @property
    def log(self) -> str:
        """Return every line of the log, the internal messages of errors, and what went to stderr."""
        lines = [each["message"] for each in self._of_type("LOG")]
        lines += [json.dumps(trace) for trace in self._of_type("TRACE")]
        return "\n".join([*lines, self.stderr])

    @property
    def warnings(self) -> list[str]:
        """Return the warnings and errors in the log."""
        return [each["message"] for each in self._of_type("LOG") if each["level"] in _LOUD]

    def _of_type(self, name: str) -> list[Message]:
        payload = {"CATALOG": "catalog", "CONNECTION_STATUS": "connectionStatus"}.get(name, name.lower())
        return [message[payload] for message in self.messages if message["type"] == name]

    def only(self, name: str) -> Message:
        """Return the payload of the only message of a type."""
        (message,) = self._of_type(name)
        return message


@dataclass(frozen=True)
class Runtime:
    """The runtime with the manifest. Its input files are in `folder`."""

    environment: Environment
    folder: Path

    def run(self, command: str, sandbox: Sandbox, *, config: Mapping[str, Any] | None = None, **files: Any) -> Result:
        """Run a command on an account. `files` are the catalog and the state."""
        files["config"] = {"api_key": sandbox.key, "api_url": sandbox.url, **(config or {})}
        arguments = ["source-declarative-manifest", command, "--manifest-path", str(MANIFEST)]
        for name, content in files.items():
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps(content))
            arguments += [f"--{name}", str(path)]
        ended = self.environment.run(arguments)
        messages = [json.loads(line) for line in ended.stdout.split("\n") if line]
        return Result(ended.returncode, messages, ended.stderr)

    def discover(self, sandbox: Sandbox) -> dict[str, Message]:
        """Return the streams by name."""
        catalog = self.run("discover", sandbox).only("CATALOG")
        return {stream["name"]: stream for stream in catalog["streams"]}

    def read(
        self,
        sandbox: Sandbox,
        streams: Collection[Message],
        *,
        is_incremental: bool = False,
        state: list[Message] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Result:
        """Read streams of `discover`, with the state of an earlier read."""
        configured = [
            {
                "stream": stream,
                "sync_mode": "incremental" if is_incremental and stream.get("default_cursor_field") else "full_refresh",
                "destination_sync_mode": "append",
            }
            for stream in streams
        ]
        files = {} if state is None else {"state": state}
        return self.run("read", sandbox, config=config, catalog={"streams": configured}, **files)
