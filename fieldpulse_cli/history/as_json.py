"""Runs and the status as JSON. The keys are documented and stay; keys may be added."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from fieldpulse_plugin.history.recorded_runs import RecordedRun

from .pipelines import Pipeline
from .status import Status
from .words import result_of


def json_text(value: Any) -> str:
    """Return a value as JSON in ASCII: times are in ISO 8601, UTC, to the microsecond."""
    return json.dumps(value, indent=2, default=_plain)


def run_json(run: RecordedRun) -> dict[str, Any]:
    """Return a run with its streams and its traffic."""
    facts = asdict(run)
    streams, traffic = facts.pop("streams"), facts.pop("traffic")
    words = {"state": run.state, "seconds": round(run.seconds, 3), "result": result_of(run)}
    return {**facts, **words, "traffic": traffic, "streams": streams}


def status_json(status: Status) -> dict[str, Any]:
    """Return the status; `needs` is empty if nothing needs a person."""
    return {
        "at": status.at,
        "needs": [asdict(need) for need in status.needs],
        "unwritten": len(status.unwritten),
        "uncertain": [
            {**asdict(entry), "stream": entry.key.stream, "key": entry.key.redacted} for entry in status.uncertain
        ],
        "pipelines": [_pipeline_json(pipeline) for pipeline in status.pipelines],
    }


def _pipeline_json(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "plugin": pipeline.plugin,
        "account": pipeline.account,
        "is_late": pipeline.is_late,
        "requests_this_month": pipeline.requests_this_month,
        "last_run": run_json(pipeline.runs[0]),
        "lists": [asdict(progress) for progress in pipeline.lists()],
    }


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise TypeError(type(value).__name__)
