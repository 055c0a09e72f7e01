"""The document `benchmarks/RESULTS.md`: a section for each benchmark, replaced when it is measured again."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_HEADING = "\n## "


def write_section(title: str, command: str, text: str) -> None:
    """Write the section `title`, or replace it: how and where it was measured, and the text."""
    head, *sections = RESULTS.read_text("utf-8").rstrip("\n").split(_HEADING)
    measured = (
        f"{title}\n\nMeasured with `{command}` on {datetime.now(timezone.utc):%Y-%m-%d}: {_machine()}.\n\n{text}\n"
    )
    by_title = {section.partition("\n")[0]: section for section in sections} | {title: measured}
    texts = [text.rstrip("\n") + "\n" for text in (head, *by_title.values())]
    RESULTS.write_text(_HEADING.join(texts), "utf-8")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if "model name" in line), platform.processor())
    load = os.getloadavg()[2]
    return f"{model}, {os.cpu_count()} cores, load {load:.1f} over 15 minutes, Python {platform.python_version()}"
