"""The start of a command: modules are imported quietly, and questions about the command itself are answered before."""

from __future__ import annotations

import gc
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

ANSWERS = {
    ("--version",): "version.txt",
    ("--help",): "help.txt",
    ("--about",): "about.txt",
    ("--about", "--format", "json"): "about.json",
    ("--about", "--format=json"): "about.json",
    ("--about", "--format", "markdown"): "about.md",
    ("--about", "--format=markdown"): "about.md",
}
"""The arguments whose answer is always the same text, in the folder `command_line` of the package."""
ANSWER_WIDTH = 80  # characters; click wraps its help at most here
_M_ARENA_MAX = -8  # of glibc's malloc.h
PROGRAM, SDK_VERSION, VERSION = "{program}", "{sdk_version}", "{version}"
"""What stands in these texts for what is only known when they are printed."""


class _EncodingGuesser(ModuleType):
    """A module that guesses no encoding: FieldPulse sends UTF-8, and no response is read with requests."""

    __version__ = "3.0.0"


@contextmanager
def importing() -> Iterator[None]:
    """Import the modules of a command within the block, which takes half a second.

    SIGINT ends the process at once, without a traceback, as SIGTERM does: nothing has begun yet. What is imported stays
    until the process ends, so garbage is not looked for in it, now or later.

    What no command calls is not imported, which saves 3 MB and 20 ms. httpx imports its own command line, with what
    draws it, where click is installed; None stands for a module that is missing. requests, which the SDK imports, looks
    at the version of what guesses encodings.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a process in the background of a shell ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # see sys.modules in Python's documentation
    sys.modules.setdefault("charset_normalizer", _EncodingGuesser("charset_normalizer"))
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def use_one_arena() -> None:
    """Let all threads of this process share one arena of glibc's allocator. Other allocators have none to share.

    By default each thread that reads pages gets an arena of its own, and the buffers of pages leave holes in all of
    them: after 300,000 rows, a run had 101 MB instead of 88. Threads do not wait for the arena, as nearly all that
    allocate hold the interpreter.
    """
    import ctypes  # noqa: PLC0415  an answer needs none

    with suppress(AttributeError, OSError, TypeError):  # TypeError: Windows opens no library without a name
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def print_answer(package: Path) -> bool:
    """Print the answer to a question about a command that needs none of its modules. Return whether there was one.

    What these texts do not cover goes the long way, also narrow terminals and outputs that cannot be written.
    """
    name = ANSWERS.get(tuple(sys.argv[1:]))
    path = package / "command_line" / (name or "")
    if name is None or not path.is_file() or shutil.get_terminal_size().columns < ANSWER_WIDTH:
        return False
    text = path.read_text("utf-8").replace(PROGRAM, _program())
    if VERSION in text or SDK_VERSION in text:
        from importlib.metadata import version  # noqa: PLC0415  a help needs none

        text = text.replace(SDK_VERSION, version("singer-sdk")).replace(VERSION, version("singer-fieldpulse"))
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _program() -> str:
    """Return the name of the command as click prints it."""
    path = Path(sys.argv[0])
    return f"python -m {path.parent.name}" if path.name == "__main__.py" else path.name
