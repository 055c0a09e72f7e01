"""The page as HTML: a template with autoescape, the style sheet and the charts within the file."""

from __future__ import annotations

from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from fieldpulse_cli.history.words import duration, rate_of, record_count, result_of, took
from fieldpulse_plugin.history.recorded_runs import RecordedRun
from fieldpulse_plugin.output import for_output

from .overview import RUNS_PER_PIPELINE, Overview, grade
from .plan import Plan
from .run_charts import pipeline_charts, runs_chart

STYLE = (Path(__file__).parent / "style.css").read_text("utf-8")
_MAX_ENTRIES = 100
_FOLDER = Path(__file__).parent


def render_page(
    overview: Overview, *, plan: Plan | None = None, shows_values: bool = False, is_live: bool = False
) -> str:
    """Return the page. With `is_live` it loads `/live.js`, without a time that would make each page another."""
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_safe_text,
    )
    environment.globals |= {
        "result": result_of,
        "records": record_count,
        "grade": grade,
        "state_words": _state_words,
        "charts": pipeline_charts,
        "duration": duration,
        "took": took,
        "with_code": _with_code,
        "bookmark": _bookmark,
        "size": _size,
        "milliseconds": _milliseconds,
        "rate": rate_of,
    }
    return environment.get_template("page.html.jinja").render(
        overview=overview,
        runs_chart=runs_chart(overview),
        plan=plan,
        shows_values=shows_values,
        made_at=overview.status.at,
        is_live=is_live,
        style=Markup(STYLE),  # noqa: S704  our own file
        version=metadata.version("singer-fieldpulse"),
        max_entries=_MAX_ENTRIES,
        runs_per_pipeline=RUNS_PER_PIPELINE,
    )


def _safe_text(value: Any) -> Any:
    """Leave secrets and control characters out of a text; Jinja escapes it afterwards."""
    return for_output(value) if type(value) is str else value


def _with_code(text: str) -> Markup:
    """Return a text for a terminal as HTML: what is between backticks is code."""
    parts = [escape(part) for part in for_output(text).split("`")]
    parts[1::2] = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    return Markup("").join(parts)


def _state_words(run: RecordedRun) -> str:
    if run.state != "ended":
        return run.state
    words = {"good": "success", "warn": "incomplete", "bad": "failed"}[grade(run)]
    return words if run.exit_status == 0 else f"{words}: exit status {run.exit_status}"


def _bookmark(text: str | None) -> str:
    """Return a bookmark in local time, if it is a time."""
    try:
        time = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return text or "-"
    return (time.astimezone() if time.tzinfo else time).strftime("%Y-%m-%d %H:%M:%S")


def _size(byte_count: int) -> str:
    """Return a count of bytes in the unit that leaves one to four digits."""
    size, unit = float(byte_count), "B"
    for unit in ("B", "kB", "MB", "GB"):  # noqa: B007  the last unit stays
        if size < 1000:  # noqa: PLR2004
            break
        size /= 1000
    return f"{size:.3g} {unit}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
