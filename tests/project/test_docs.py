"""The documentation says what the code says, and names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.docs.documents import ROOT, documents, pages

LONGEST_LINE = 200
LONGEST_README = 150
LONGEST_SENTENCE = 25  # words
PACKAGES = (
    *("fieldpulse_api", "fieldpulse_plugin", "fieldpulse_cli"),
    *("tap_fieldpulse", "target_fieldpulse", "fieldpulse_sandbox"),
)


def test_generated_parts_are_fresh() -> None:
    """`make fix` writes them."""
    assert [str(path) for path, text in documents() if not path.exists() or path.read_text("utf-8") != text] == []


def test_every_page_of_the_dictionary_belongs_to_a_domain() -> None:
    """A page of a domain that was renamed would stay behind."""
    folder = ROOT / "docs" / "tap" / "dictionary"
    assert set(folder.iterdir()) == {path for path, _ in documents() if path.parent == folder}


def test_the_readme_is_short() -> None:
    """It says what, why and how to begin; the rest is in docs/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_are_short_outside_generated_tables(path: Path) -> None:
    """Long lines are hard to review."""
    written = re.sub(r"<!-- begin .*?<!-- end ", "", path.read_text("utf-8"), flags=re.DOTALL)
    if "<!-- Written by `make fix`" not in written:
        assert [line for line in written.splitlines() if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_short(path: Path) -> None:
    """One idea each; generated tables say what the code says."""
    prose = re.sub(
        r"<!-- begin .*?<!-- end [^>]*-->|```.*?```|\]\([^)]*\)", "", path.read_text("utf-8"), flags=re.DOTALL
    )
    if "<!-- Written by `make fix`" not in prose:
        paragraphs = re.split(r"\n\s*\n|\n(?=[-*|] |\d+\. )|\|", prose)
        sentences = [part for paragraph in paragraphs for part in re.split(r"(?<=[.!?:;])\s", paragraph)]
        assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE] == []


@pytest.mark.parametrize(
    "path", [ROOT / "meltano.yml", *(ROOT / "plugins").iterdir(), *pages()], ids=lambda path: path.name
)
def test_no_setting_is_declared_as_decimal(path: Path) -> None:
    """Meltano 4.4 fails at such a value from the environment (findings/meltano-decimal-setting.sh)."""
    assert not re.search(r"kind:\s*[\"']?decimal", path.read_text("utf-8"))


def test_every_task_of_the_makefile_is_listed() -> None:
    """`make` alone lists them all."""
    text = (ROOT / "Makefile").read_text("utf-8")
    listed = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert {"demo", "test", "check", "fix", "docs", "sandbox", "snap", "record"} <= listed
    assert listed == set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


@pytest.mark.parametrize("path", [*pages(), ROOT / "AGENTS.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    """On GitHub too, where nothing checks them; addresses of other sites are not looked up."""
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if ":" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_the_demo_prints_the_headings_of_the_readme() -> None:
    """The demo itself needs Meltano and minutes."""
    headings = re.findall(r"^── (.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    demo = (ROOT / "scripts" / "demo.py").read_text("utf-8")
    assert len(headings) > 1
    assert [heading for heading in headings if f'"{heading}"' not in demo] == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_paths_of_the_repository_exist(path: Path) -> None:
    """A page that names a file or folder of the code follows when it moves."""
    names = re.findall(
        rf"`((?:{'|'.join(PACKAGES)}|docs|tests|scripts|plugins|cassettes)/[\w./-]*)`", path.read_text("utf-8")
    )
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_facts_that_the_code_cites_exist() -> None:
    """`API facts 2.2` in a comment is a section of docs/api-facts.md."""
    facts = (ROOT / "docs" / "api-facts.md").read_text("utf-8")
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", facts, re.MULTILINE))
    cited = {
        (section, path.name)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for section in re.findall(r"API facts (\d+(?:\.\d+)?)", path.read_text("utf-8"))
    }
    assert sorted((section, name) for section, name in cited if section not in sections) == []


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub and Sphinx give to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
