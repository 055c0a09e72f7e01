"""The tap, run in this process."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from typing import Any

from tap_fieldpulse.tap import TapFieldPulse

from .messages import Message
from .results import RunResult


def select_streams(tap: TapFieldPulse, streams: Iterable[str]) -> Message:
    """Return a catalog in which only these streams are selected."""
    catalog: Message = json.loads(tap.catalog_json_text)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in set(streams)
    return catalog


def run_tap(
    config: Mapping[str, Any], *streams: str, state: Message | None = None, catalog: Message | None = None
) -> RunResult:
    """Run the tap on these streams, by this catalog, or on all streams. Errors are raised."""
    catalog = select_streams(TapFieldPulse(config=dict(config)), streams) if streams else catalog
    tap = TapFieldPulse(config=dict(config), catalog=catalog, state=state)
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with redirect_stdout(output):
            tap.sync_all()
    finally:
        join_prefetch_threads()
    output.seek(0)
    return RunResult(output.read())


def join_prefetch_threads() -> None:
    """Wait for prefetched pages that nothing reads any more: a process would end without them."""
    for thread in threading.enumerate():
        if thread.name.startswith("fieldpulse_"):
            thread.join(timeout=10)
