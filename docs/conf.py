"""Configuration of the documentation site: Sphinx reads the same Markdown pages that read well on GitHub."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "singer-fieldpulse"
release = metadata.version(project)
copyright = "the contributors, Apache-2.0"  # noqa: A001  Sphinx's name
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
myst_heading_anchors = 3
nitpicky = True


def setup(app: Sphinx) -> None:
    """Show diagrams as text: GitHub draws them, and the site must work without a network."""
    app.add_lexer("mermaid", TextLexer)
