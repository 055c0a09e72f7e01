"""`fieldpulse report`: a page that stands alone, that everybody can read, and that holds nothing personal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import fieldpulse_cli.page
from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.main import commands
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.past_runs import CANARY, write_example, write_runs
from tests.harness.processes import run_process
from tests.harness.target_runner import run_target

from .page_reader import ReadPage, read_page

STYLE = (Path(fieldpulse_cli.page.__file__).parent / "style.css").read_text("utf-8")
VARIABLES = {"TAP_FIELDPULSE_SNAPSHOT_URL": "snapshot", "TARGET_FIELDPULSE_LEDGER_URL": "ledger"}
Report = Callable[..., tuple[str, ReadPage]]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Return a function that runs the command in `tmp_path`, where the stores are, and reads the page."""
    monkeypatch.chdir(tmp_path)
    for variable, store in VARIABLES.items():
        monkeypatch.setenv(variable, f"sqlite:///{tmp_path}/{store}.db")

    def run(*arguments: str) -> tuple[str, ReadPage]:
        commands.main(["report", *arguments], standalone_mode=False)
        html = (tmp_path / "report.html").read_text("utf-8")
        return html, read_page(html)

    return run


def assert_readable(page: ReadPage) -> None:
    assert page.open_tags == []
    assert [each for each, count in page.ids.items() if count > 1] == []
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(page.headings))
    assert [link for link in page.links if not (link.startswith("#") and link[1:] in page.ids)] == []
    assert page.tags["script"] == page.tags["link"] == page.tags["img"] == 0
    assert page.handlers == []
    assert page.cells_without_scope == 0
    assert page.tags["caption"] == page.tags["table"]
    assert page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"]
    assert all(page.tags[tag] == 1 for tag in ("main", "header", "footer", "nav", "title"))


def test_the_page_has_what_ran_and_what_needs_a_person(report: Report, tmp_path: Path) -> None:
    """Everybody can read it, and names from elsewhere are text, never HTML."""
    write_example(tmp_path)
    html, page = report("--plan", "plan.jsonl")
    assert_readable(page)
    assert page.tags["svg"] == 13
    for text in (
        "Not read completely in the last 2 runs or more: teams.",
        "FieldPulse rejected it. (<script>alert(1)</script>)",
        "9 of 10 lists complete",
        "90 created, 53 unchanged, 5 rejected, 2 uncertain",
        "`status` has a code that the catalogue does not know: <9>",
        "42.9 of 45/s",
        "110 ms",
        "from 162 runs",
        "customers: 30 to update",
    ):
        assert text in page.text
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert (tmp_path / "report.html").stat().st_mode & 0o077 == 0


def test_values_of_records_come_only_when_asked_for(report: Report, tmp_path: Path) -> None:
    """Without --show-values the plan says which fields change; with it, from what to what, in the words of the plan."""
    write_example(tmp_path)
    html, page = report("--plan", "plan.jsonl")
    assert CANARY not in html
    assert "Contacted" not in html
    assert "notescleared" in page.text
    html, page = report("--plan", "plan.jsonl", "--show-values")
    assert_readable(page)
    assert f"{CANARY} → {CANARY} <script>alert(1)</script>" in page.text
    assert "Quoted → Contacted" in page.text
    assert "<script" not in html


def test_the_plan_of_a_dry_run_is_in_its_words(
    report: Report, sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """Names in place of ids, and local times, as in the log of the dry run."""
    contacted, quoted = sandbox.rows("pipeline_statuses")[1:3]
    customer, job = sandbox.rows("customers")[0], sandbox.rows("jobs")[0]
    sandbox.store.patch("customers", customer["id"], {"pipeline_status_id": quoted["id"]})
    sandbox.store.patch("jobs", job["id"], {"start_time": "2026-12-01 15:00:00"})
    text = singer_lines(
        schema_message("customers", "id", "external_id", "pipeline_status_id"),
        record_message("customers", id=customer["id"], pipeline_status_id=contacted["id"]),
        schema_message("jobs", "id", "start_time"),
        record_message("jobs", id=job["id"], start_time="2026-12-01T16:30:00Z"),
    )
    config = target_config | {"dry_run": True, "plan_path": "plan.jsonl", "timezone": "America/Chicago"}
    assert run_target(config, text, tmp_path).status == 0
    _, page = report("--plan", "plan.jsonl", "--show-values")
    assert_readable(page)
    assert "Quoted → Contacted" in page.text
    assert "2026-12-01 09:00 Chicago → 2026-12-01 10:30 Chicago" in page.text


def test_a_page_without_runs_says_so(report: Report) -> None:
    """And that nothing was found where."""
    _, page = report()
    assert_readable(page)
    assert "No run yet" in page.text
    assert "TARGET_FIELDPULSE_LEDGER_URL" in page.text


def test_ten_thousand_runs_fit_on_a_page(report: Report, tmp_path: Path) -> None:
    """The last 40 of each pipeline are there one by one, all others are counted."""
    write_runs(f"sqlite:///{tmp_path}/snapshot.db", 10_000, [])
    html, page = report()
    assert "from 10,000 runs" in page.text
    assert len(html) < 200_000
    chart = html[html.index('id="runs"') : html.index('id="pipeline-1"')]
    counts = re.findall(r'<td class="number">([\d,]+)</td>', chart)
    assert sum(int(count.replace(",", "")) for count in counts) == 10_000


def test_many_records_of_a_plan_are_counted(report: Report, tmp_path: Path) -> None:
    """The first 500 are listed."""
    line = '{"action": "create", "stream": "jobs", "key": "%d", "fields": {"title": {"old": null, "new": "x"}}}\n'
    (tmp_path / "plan.jsonl").write_text("".join(line % number for number in range(1200)))
    _, page = report("--plan", "plan.jsonl")
    assert_readable(page)
    assert "jobs: 1,200 to create" in page.text
    assert "700 more records are counted only" in page.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "nowhere/report.html"), "The page cannot be written (No such file or directory)."),
        (("--plan", "nowhere.jsonl"), "The plan cannot be read (No such file or directory)."),
        (("--plan", "text.jsonl"), "The plan cannot be read (it is not the file of a dry run)."),
    ],
)
def test_errors_say_what_to_do(report: Report, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """No page is written."""
    (tmp_path / "text.jsonl").write_text('{"type": "RECORD"}\n')
    with pytest.raises(ConfigError) as raised:
        report(*arguments)
    assert raised.value.what == message
    assert not (tmp_path / "report.html").exists()


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """The libraries of the page are not needed for anything else."""
    code = "import sys; sys.modules['pygal'] = None; from fieldpulse_cli.__main__ import main; main()"
    result = run_process([sys.executable, "-c", code, "report", "-o", str(tmp_path / "report.html")])
    assert result.returncode == 2
    assert "pip install 'singer-fieldpulse[report]'" in result.stderr


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_colors_have_contrast(scheme: str) -> None:
    """WCAG AA: 4.5 for text, 3 for what is drawn, on both backgrounds."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colors = dict(re.findall(r"--(\w+): (#\w{6});", blocks[("light", "dark", "print").index(scheme)]))
    for background in ("paper", "panel"):
        for name in ("ink", "soft", "link", "good", "warn", "bad", "mute"):
            assert contrast(colors[name], colors[background]) >= 4.5, (name, background)
        for name in ("first", "second", "third", "budget"):
            assert contrast(colors[name], colors[background]) >= 3, (name, background)


def contrast(color: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    darker, lighter = sorted((luminance(color), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
