"""The result of running a plugin, in this process or as one of its own."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from .announced import check_announced
from .messages import Message, singer_lines

_LAST_LINE = re.compile(r"(?P<stream>\w+): records=\d+ .* (?P<verdict>complete|unproven|incomplete)$")


@dataclass
class RunResult:
    """What a run wrote and how it ended.

    `log_lines` are captured apart from `stderr` where a test listens to the log; `error` is the exception that
    ended a run without the command around it.
    """

    stdout: str = ""
    stderr: str = ""
    status: int = 0
    error: BaseException | None = None
    log_lines: tuple[str, ...] = ()

    @classmethod
    def of_messages(cls, messages: Iterable[Message], *log_lines: str) -> RunResult:
        """Return the result of a run that wrote these messages."""
        return cls(singer_lines(*messages), log_lines=log_lines)

    @cached_property
    def messages(self) -> list[Message]:
        """Return the messages; a last line that a kill has cut off is ignored. The target writes states bare.

        Every record must be as its schema announces.
        """
        lines = [line for line in self.stdout.split("\n")[:-1] if line]  # no other character ends a line
        messages = [json.loads(line) for line in lines]
        messages = [message if "type" in message else {"type": "STATE", "value": message} for message in messages]
        if '"type":"SCHEMA"' in self.stdout:  # else a test made the messages by hand
            check_announced(messages)
        return messages

    @cached_property
    def records(self) -> dict[str, list[Message]]:
        """Return the records by stream, in their order."""
        records = defaultdict(list)
        for message in self.messages:
            if message["type"] == "RECORD":
                records[message["stream"]].append(message["record"])
        return records

    @cached_property
    def schemas(self) -> dict[str, Message]:
        """Return the last schema of each stream."""
        return {message["stream"]: message["schema"] for message in self.messages if message["type"] == "SCHEMA"}

    @cached_property
    def states(self) -> list[Message]:
        """Return the states, in their order."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> Message:
        """Return the last state."""
        return self.states[-1]

    def ids(self, stream: str) -> list[int]:
        """Return the ids of a stream's records, in their order."""
        return [record["id"] for record in self.records[stream]]

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of the target's last line, which add up; a dry run "would create" what a run "created"."""
        last = self.stderr.strip().splitlines()[-1]
        match = re.search(r"read (\d+) = ([^;]*)", re.sub(r"would (create|update|delete)", r"\1d", last))
        assert match, last
        counts = {name: int(number) for number, name in (part.split() for part in match[2].split(" + "))}
        assert int(match[1]) == sum(counts.values()), last
        return {name: number for name, number in counts.items() if number}

    @property
    def verdicts(self) -> dict[str, str]:
        """Return the verdict in the last log line of each stream."""
        matches = filter(None, map(_LAST_LINE.search, self.log_lines))
        return {match["stream"]: match["verdict"] for match in matches}

    @property
    def is_explained(self) -> bool:
        """Return whether the run ended well, or with an error in three parts and no bug."""
        is_clear = self.status == 0 or "where:" in self.stderr or "read " in self.stderr
        return is_clear and "This is a bug" not in self.stderr and "Traceback" not in self.stderr
