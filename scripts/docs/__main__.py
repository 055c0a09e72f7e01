"""Write the generated parts of the documentation, or check them."""

from __future__ import annotations

import sys

from .documents import ROOT, documents


def main() -> None:
    """Write the documents that are stale; with `--check`, exit with status 1 instead."""
    stale = [(path, text) for path, text in documents() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" not in sys.argv[1:]:
        for path, text in stale:
            path.write_text(text, "utf-8")
    elif stale:
        raise SystemExit(f"stale: {', '.join(str(path.relative_to(ROOT)) for path, _ in stale)}; run `make fix`")


if __name__ == "__main__":
    main()
