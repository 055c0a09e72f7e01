"""Object types in creates: the short name is documented, and the class was seen. The account decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target


@pytest.mark.parametrize(("accepted", "posts"), [("any", {2}), ("short", {2}), ("class", {3, 4})])
def test_the_form_that_the_account_accepts_is_sent(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path, accepted: Any, posts: set[int]
) -> None:
    """A rejected create was not carried out, so it is sent again with the class. The next one has it at once."""
    sandbox.behaviour.accepted_object_types = accepted
    below = {"commentable_type": "job", "commentable_id": sandbox.rows("jobs")[0]["id"]}
    records = [record_message("comments", external_id=f"n{n}", text=f"Note {n}", **below) for n in range(2)]
    text = singer_lines(schema_message("comments", *records[0]["record"]), *records)
    assert run_target(target_config, text, tmp_path).counts == {"created": 2}
    assert sum(request.method == "POST" for request in sandbox.requests) in posts
    assert {row["text"] for row in sandbox.rows("comments")[-2:]} == {"Note 0", "Note 1"}
