"""The console script of the sandbox, installed without its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named(module: str) -> None:
    """The user learns what to install, without a traceback."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        f"            raise ModuleNotFoundError(name={module!r})\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from fieldpulse_sandbox.launcher import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("run: pip install 'singer-fieldpulse[sandbox]'\n")
    assert "Traceback" not in ended.stderr
