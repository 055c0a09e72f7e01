"""Check of the page of `fieldpulse report` in a real browser: `python -m scripts.check_page [FOLDER]`.

At 375, 1280 and 1920 px, light and dark: axe finds nothing, nothing is wider than the window, nothing is loaded from
elsewhere, and text in charts is readable. Screenshots and a print are left in FOLDER, to be looked at. It is not part
of CI, because it needs a browser: `apt install chromium; pip install playwright axe-playwright-python`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.past_runs import write_example

WIDTHS = (375, 1280, 1920)
MIN_TEXT_PIXELS = 11
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_SMALLEST_TEXT = (
    "Math.min(...[...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height))"
)
_OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
_AXE = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"


def main() -> None:
    """Write pages of example runs, look at them, and exit with status 1 if something is wrong, 2 without a browser."""
    browser_path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    try:
        import axe_playwright_python  # noqa: PLC0415  not among the dependencies: see above
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  as above
    except ImportError:
        browser_path = None
    if browser_path is None:
        print(f"NOT CHECKED: there is no browser, or no library that steers it.\n\n{__doc__}", file=sys.stderr)
        raise SystemExit(2)
    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="fieldpulse-page-"))
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, path in _pages(folder):
            for scheme in ("light", "dark"):
                for width in WIDTHS:
                    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                    found = list(_faults(context.new_page(), path, axe, folder / f"{name}-{scheme}-{width}.png"))
                    print(f"{name} {scheme} {width} px: {', '.join(found) or 'ok'}")
                    faults += found
                    context.close()
            page = browser.new_page()
            page.goto(path.as_uri())
            page.pdf(path=folder / f"{name}.pdf", format="A4")
        browser.close()
    print(f"Screenshots and prints are in {folder}")
    raise SystemExit(1 if faults else 0)


def _pages(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write and yield a page with runs and a plan, and a page without runs."""
    for name in ("runs", "empty"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "fieldpulse_cli", "report"]
        if name == "runs":
            write_example(folder / name)
            command += ["--plan", "plan.jsonl", "--show-values"]
        stores = {"TAP_FIELDPULSE_SNAPSHOT_URL": "snapshot", "TARGET_FIELDPULSE_LEDGER_URL": "ledger"}
        urls = {variable: f"sqlite:///{folder / name}/{store}.db" for variable, store in stores.items()}
        modules = {"PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, cwd=folder / name, env={**os.environ, **urls, **modules}, check=True)
        yield name, folder / name / "report.html"


def _faults(page: Any, path: Path, axe: str, screenshot: Path) -> Iterator[str]:
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(path.as_uri())
    page.screenshot(path=screenshot, full_page=True)
    if page.evaluate(_TOO_WIDE):
        yield "wider than the window"
    smallest = page.evaluate(_SMALLEST_TEXT)
    if smallest is not None and smallest < MIN_TEXT_PIXELS:  # no number without a chart
        yield f"text of {smallest:.0f} px in a chart"
    page.evaluate(_OPEN_ALL)
    page.evaluate(axe)
    for violation in page.evaluate(_AXE)["violations"]:
        yield f"{violation['id']}: {violation['nodes'][0]['html'][:100]}"
    yield from (f"loads {url}" for url in requests[1:])
    yield from messages


if __name__ == "__main__":
    main()
