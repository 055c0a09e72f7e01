"""`fieldpulse` as a utility of Meltano. A script stands in for Meltano; `make meltano` runs the real one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.main import commands
from fieldpulse_cli.meltano import use_settings_of_meltano, variables_of_plugin
from fieldpulse_plugin.environment import environment_variables

MELTANO = """#!{python}
import json, pathlib, sys
answers = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())
with pathlib.Path(__file__).with_name("calls").open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
answer = answers.get(sys.argv[-1])
if answer is None:
    sys.exit(f"Plugin '{{sys.argv[-1]}}' is not known to Meltano.")
if answer == "broken":
    sys.exit("Failed to parse YAML")
print(answer if isinstance(answer, str) else json.dumps(answer))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let a process be a utility of a Meltano project in this folder; its environment is restored."""
    script = tmp_path / "bin" / "meltano"
    script.parent.mkdir()
    script.write_text(MELTANO.format(python=sys.executable))
    script.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ):
        for name in [name for name in os.environ if "FIELDPULSE" in name or name.startswith("MELTANO")]:
            del os.environ[name]
        os.environ |= {"PATH": f"{script.parent}:{os.environ['PATH']}", "MELTANO_UTILITY_NAME": "fieldpulse"}
        yield tmp_path


def answer(folder: Path, **by_plugin: object) -> None:
    answers = {name.replace("_", "-"): value for name, value in by_plugin.items()}
    (folder / "bin" / "answers.json").write_text(json.dumps(answers))


def test_settings_of_meltano_yml_reach_the_commands(folder: Path) -> None:
    """Meltano hands a utility `.env` alone. Every type of value comes as a variable; null is left out."""
    answer(
        folder,
        tap_fieldpulse={
            "api_key": "k",
            "page_size": 50,
            "add_labels": True,
            "filters": {"jobs": {}},
            "start_date": None,
        },
        target_fieldpulse={"ledger_url": "sqlite:///l.db"},
    )
    os.environ |= {"TAP_FIELDPULSE_API_KEY": "of another account", "TAP_FIELDPULSE__NORTH_API_KEY": "north"}
    os.environ["MELTANO_ENVIRONMENT"] = "prod"
    (folder / ".env").write_text("TAP_FIELDPULSE_DETAIL_STREAMS=[]\n")  # not declared, so the tap does not get it
    use_settings_of_meltano()
    assert "TAP_FIELDPULSE_DETAIL_STREAMS" not in environment_variables()
    assert {name: text for name, text in os.environ.items() if name.startswith("TAP_FIELDPULSE_")} == {
        "TAP_FIELDPULSE_API_KEY": "k",
        "TAP_FIELDPULSE_PAGE_SIZE": "50",
        "TAP_FIELDPULSE_ADD_LABELS": "true",
        "TAP_FIELDPULSE_FILTERS": '{"jobs": {}}',
    }
    assert os.environ["TARGET_FIELDPULSE_LEDGER_URL"] == "sqlite:///l.db"
    calls = sorted((folder / "bin" / "calls").read_text().splitlines())
    common = "--environment prod config --unsafe print --plugin-type"
    assert calls == [
        f"{common} extractor --format json -- tap-fieldpulse",
        f"{common} loader --format json -- target-fieldpulse",
    ]


def test_the_utility_is_told_which_account(folder: Path) -> None:
    """By its settings `tap` and `target`. The default plugin may be missing: not every project has both."""
    answer(folder, tap_fieldpulse={"api_key": "first"}, tap_fieldpulse__north={"api_key": "north"})
    os.environ["FIELDPULSE_TAP"] = "tap-fieldpulse--north"
    use_settings_of_meltano()
    assert os.environ["TAP_FIELDPULSE_API_KEY"] == "north"
    assert variables_of_plugin("tap-fieldpulse") == {"TAP_FIELDPULSE_API_KEY": "first"}
    assert variables_of_plugin("tap-fieldpulse--north") == {"TAP_FIELDPULSE__NORTH_API_KEY": "north"}


def test_an_account_that_the_project_lacks_is_an_error(folder: Path) -> None:
    """Else the command would show the stores of another account."""
    answer(folder, tap_fieldpulse={})
    os.environ["FIELDPULSE_TARGET"] = "target-fieldpulse--nort"
    with pytest.raises(ConfigError, match="no loader 'target-fieldpulse--nort'"):
        use_settings_of_meltano()


@pytest.mark.parametrize("text", ["broken", "no JSON", "[]", ""])
def test_a_meltano_that_gives_no_settings_ends_the_command(folder: Path, text: str) -> None:
    """The command to try by hand is named."""
    answer(folder, tap_fieldpulse=text, target_fieldpulse={})
    with pytest.raises(ConfigError) as caught:
        use_settings_of_meltano()
    assert caught.value.where == "meltano config print tap-fieldpulse"


def test_a_meltano_that_is_not_found_ends_the_command(folder: Path) -> None:
    """As when its environment is not on PATH and the system has no /proc."""
    os.environ["PATH"] = str(folder)
    with pytest.raises(ConfigError, match="`meltano` is not found"):
        use_settings_of_meltano()


def test_outside_of_meltano_nothing_is_asked(folder: Path) -> None:
    """A shell may have variables of Meltano, but not the name of a utility."""
    del os.environ["MELTANO_UTILITY_NAME"]
    use_settings_of_meltano()
    assert variables_of_plugin("tap-fieldpulse--north") == {}
    assert not (folder / "bin" / "calls").exists()


def test_commands_use_the_settings_of_meltano(folder: Path) -> None:
    """`meltano invoke fieldpulse:ledger list` opens the ledger that meltano.yml configures."""
    answer(folder, target_fieldpulse={"ledger_url": "sqlite:///deep/ledger.db"})
    result = CliRunner().invoke(commands, ["ledger", "list"])
    assert str(result.exception).startswith("The ledger is empty.")
    assert (folder / "deep" / "ledger.db").exists()
