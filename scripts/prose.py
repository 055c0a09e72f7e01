"""Check of the wording: phrases that hide the subject or the technical term, and names that say nothing.

`python -m scripts.prose` reports each as file:line: rule, for docstrings, comments, messages, names and pages.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "fieldpulse_api",
    "fieldpulse_plugin",
    "tap_fieldpulse",
    "target_fieldpulse",
    "fieldpulse_cli",
    "fieldpulse_sandbox",
    "benchmarks",
    "docs",
    "scripts",
    "tests",
    "AGENTS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
)
"""The folders and pages that are checked."""
PHRASES = {
    r"\bis (?-i:none)\b": "name what is missing or invalid",
    r"\bthat there (is|are)\b": "use an active sentence",
    r"\bnobody\b": "name the subject: the API, the server, the user",
    r"\bwhat is \w+ of\b": "use a noun",
    r"\b(it|what) (is|was) said\b": "name who reports what",
    r"\bsays? (whether|that it is|of)\b": "`Return whether …`, or name who states what",
    r"(?<!there )\bis no (?!longer\b|more\b)\w": "say `is not a …`",
    r"\bheeds?\b": "a server honours a parameter",
    r"\banew\b": "say `again`",
    r"\bin vain\b": "say what failed",
    r"\bfinds? out what is true\b": "say `check`",
    r"\((V|D|O|I)\)": "spell the grade: verified, documented, observed, inferred",
    r"\bcontract \d": "cite `API facts N.N`",
    r"\b(BadSetting|BadKey|GuardStopped|QuotaSpent|RefusedStream|RecordRefused|OutcomeUnknown|BadInput)\b": "old name",
    r"\b(UnexpectedReply|TheirTurn|YourTurn)\b": "old name",
}
NAMES = frozenset({"one", "said", "told", "shown", "given", "held", "kept"})
"""Names of variables and parameters that say what happened to a thing, not what it is."""
_EXAMPLES = ("prose.py", "test_prose.py")  # they quote what the rules forbid
_RULES = [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in PHRASES.items()]


class Violation(NamedTuple):
    """A place that breaks a rule."""

    path: Path
    line: int
    text: str
    advice: str

    def __str__(self) -> str:
        """Return the violation as a compiler would print it."""
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.text!r}: {self.advice}"


def violations(folder: str) -> Iterator[Violation]:
    """Yield the violations in the Python files and the pages of a folder, or in one file."""
    root = ROOT / folder
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if path.name in _EXAMPLES or path.suffix not in (".py", ".md"):
            continue
        text = path.read_text("utf-8")
        if path.suffix == ".md":
            yield from _in_prose(path, 1, text)
        else:
            yield from in_python(path, text)


def in_python(path: Path, text: str) -> Iterator[Violation]:
    """Yield the violations in comments, strings and names of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from _in_prose(path, token.start[0], token.string)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from _in_prose(path, node.lineno, node.value)
        name = _bound_name(node)
        if name in NAMES:
            yield Violation(path, getattr(node, "lineno", 0), str(name), "name the thing")


def _in_prose(path: Path, first_line: int, text: str) -> Iterator[Violation]:
    for rule, advice in _RULES:
        for match in rule.finditer(text):
            yield Violation(path, first_line + text.count("\n", 0, match.start()), match[0], advice)


def _bound_name(node: ast.AST) -> str | None:
    """Return the name that a node binds: a variable, a parameter or an attribute of self."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) else None


def main() -> None:
    """Print the violations, and exit with status 1 if there are any."""
    reports = [str(violation) for folder in sys.argv[1:] or FOLDERS for violation in violations(folder)]
    print("\n".join(reports) or "No violations.")
    raise SystemExit(1 if reports else 0)


if __name__ == "__main__":
    main()
