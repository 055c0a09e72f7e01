"""Default stores: of each pipeline and environment under Meltano; those that were there before go on being used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.stores.defaults import all_folders, folder_for_command, folder_of_run
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

TAP, TARGET = "MELTANO_EXTRACTOR_NAME", "MELTANO_LOADER_NAME"
STORES = Path(".fieldpulse")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, without variables of Meltano."""
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("MELTANO", "FIELDPULSE_"))]:
            del os.environ[name]
        yield


def make(*paths: str) -> None:
    for path in paths:
        (STORES / path).parent.mkdir(parents=True, exist_ok=True)
        (STORES / path).touch()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, ".fieldpulse"),
        ({"MELTANO_ENVIRONMENT": "prod"}, ".fieldpulse"),
        ({"MELTANO_ENVIRONMENT": "prod", TAP: "tap-fieldpulse"}, ".fieldpulse/prod/tap-fieldpulse"),
        ({"MELTANO_ENVIRONMENT": "prod", TAP: "tap-fieldpulse--poll"}, ".fieldpulse/prod/tap-fieldpulse--poll"),
        ({"MELTANO_ENVIRONMENT": "", TAP: "tap-fieldpulse"}, ".fieldpulse/tap-fieldpulse"),
        ({"MELTANO_ENVIRONMENT": "../..", TAP: ".."}, ".fieldpulse/.._../_"),
    ],
)
def test_each_pipeline_and_environment_has_a_folder(variables: dict[str, str], folder: str) -> None:
    """Below `.fieldpulse/`, whatever the names are."""
    os.environ |= variables
    assert folder_of_run("snapshot") == Path(folder)


@pytest.mark.parametrize("former", ["snapshot.db", "snapshot-webhooks.db", "snapshot-history.db"])
def test_a_store_of_an_earlier_version_goes_on_being_used(former: str) -> None:
    """Also if only the receiver of webhooks made it. Once a pipeline has its own, it has that."""
    make(former)
    os.environ |= {"MELTANO_ENVIRONMENT": "prod", TAP: "tap-fieldpulse", TARGET: "target-fieldpulse"}
    assert folder_of_run("snapshot") == STORES
    assert folder_of_run("ledger") == STORES / "prod" / "target-fieldpulse"
    make("prod/tap-fieldpulse/snapshot.db")
    assert folder_of_run("snapshot") == STORES / "prod" / "tap-fieldpulse"


def test_ledger_and_rejects_stay_together() -> None:
    """A ledger without rejects is still the ledger of an earlier version."""
    make("ledger.db")
    os.environ |= {"MELTANO_ENVIRONMENT": "prod", TARGET: "target-fieldpulse"}
    assert folder_of_run("ledger") == folder_for_command("ledger") == STORES


def test_an_environment_that_is_named_like_a_store_is_no_store() -> None:
    """Only files are."""
    make("ledger-test/target-fieldpulse/ledger.db")
    os.environ |= {"MELTANO_ENVIRONMENT": "prod", TARGET: "target-fieldpulse"}
    assert folder_of_run("ledger") == STORES / "prod" / "target-fieldpulse"


def test_a_command_finds_the_only_store() -> None:
    """And refuses to choose between several: to settle a create in the wrong ledger would be a loss."""
    assert folder_for_command("ledger") == STORES
    make("prod/target-fieldpulse/ledger.db")
    assert folder_for_command("ledger") == STORES / "prod" / "target-fieldpulse"
    make("prod/target-fieldpulse--north/rejects.singer", "dev/target-fieldpulse/ledger.db")
    with pytest.raises(ConfigError, match="There are several stores") as caught:
        folder_for_command("ledger")
    assert "TARGET_FIELDPULSE_LEDGER_URL=sqlite:///.fieldpulse/dev/target-fieldpulse/ledger.db" in caught.value.hint
    os.environ["FIELDPULSE_TARGET"] = "target-fieldpulse--north"
    assert folder_for_command("ledger") == STORES / "prod" / "target-fieldpulse--north"


def test_the_utility_uses_the_stores_of_its_plugin() -> None:
    """Also before the first run of that plugin. Overviews show all pipelines of the environment, or of that account."""
    make("prod/tap-fieldpulse/snapshot.db", "prod/tap-fieldpulse--poll/snapshot.db", "dev/tap-fieldpulse/snapshot.db")
    os.environ |= {"MELTANO_ENVIRONMENT": "prod", "FIELDPULSE_TAP": "tap-fieldpulse"}
    os.environ |= {"FIELDPULSE_TARGET": "target-fieldpulse--north"}
    assert folder_for_command("snapshot") == STORES / "prod" / "tap-fieldpulse"
    assert folder_for_command("ledger") == STORES / "prod" / "target-fieldpulse--north"
    assert all_folders("ledger") == [STORES / "prod" / "target-fieldpulse--north"]
    assert all_folders("snapshot") == [STORES / "prod" / "tap-fieldpulse", STORES / "prod" / "tap-fieldpulse--poll"]
    os.environ["FIELDPULSE_TAP"] = "tap-fieldpulse--poll"
    assert all_folders("snapshot") == [STORES / "prod" / "tap-fieldpulse--poll"]
    for name in ("MELTANO_ENVIRONMENT", "FIELDPULSE_TAP"):
        del os.environ[name]
    assert len(all_folders("snapshot")) == 3


def test_the_utility_says_that_another_plugin_has_the_stores() -> None:
    """In a project whose only loader inherits, the usual name has no rejects; that does not mean no rejects at all."""
    variables = {"MELTANO_ENVIRONMENT": "dev", "FIELDPULSE_TARGET": "target-fieldpulse"}
    with patch.dict(os.environ, variables):
        assert folder_for_command("ledger") == STORES / "dev" / "target-fieldpulse"
        make("prod/target-fieldpulse--office/ledger.db")  # of another environment
        assert folder_for_command("ledger") == STORES / "dev" / "target-fieldpulse"
        make("dev/target-fieldpulse--office/ledger.db")
        with pytest.raises(ConfigError) as raised:
            folder_for_command("ledger")
        assert "target-fieldpulse--office" in raised.value.what
        assert "FIELDPULSE_TARGET=target-fieldpulse--office" in raised.value.hint
        make("dev/target-fieldpulse/ledger.db")
        assert folder_for_command("ledger") == STORES / "dev" / "target-fieldpulse"
    with patch.dict(os.environ, variables | {"FIELDPULSE_TARGET": "target-fieldpulse--office"}):
        assert folder_for_command("ledger") == STORES / "dev" / "target-fieldpulse--office"


def test_runs_make_their_stores_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two pipelines have two snapshots; a target by hand finds the ledger of Meltano. Git sees none of it."""
    os.environ |= {"MELTANO_ENVIRONMENT": "prod", TAP: "tap-fieldpulse", TARGET: "target-fieldpulse"}
    config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
    run_tap({**config, "detect_deletes": True})
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="a", first_name="Ann"))
    assert "1 created" in run_target(config, text, tmp_path).stderr
    del os.environ[TARGET]
    assert "1 unchanged" in run_target(config, text, tmp_path).stderr
    made = {str(path) for path in STORES.rglob("*.db")}
    assert {".fieldpulse/prod/tap-fieldpulse/snapshot.db", ".fieldpulse/prod/target-fieldpulse/ledger.db"} <= made
    assert not list(STORES.glob("*.db"))
    assert (STORES / ".gitignore").read_text().splitlines()[-1] == "*"


def test_a_gitignore_of_the_user_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever wants the stores in Git has a reason."""
    make(".gitignore")
    config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
    run_target(config, singer_lines(CUSTOMERS), tmp_path)
    assert (STORES / ".gitignore").read_text() == ""
    assert (STORES / "ledger.db").exists()
