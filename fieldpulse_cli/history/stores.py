"""The stores of tap and target that a command reads: their histories, and the target's ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fieldpulse_plugin.environment import environment_variables
from fieldpulse_plugin.history.recorded_runs import History, RecordedRun, RunOutline
from fieldpulse_plugin.stores.defaults import StoreName, all_folders, url_in
from target_fieldpulse.ledger.uncertain import UncertainEntry, uncertain_entries
from target_fieldpulse.reporting.open_rejects import RejectEntry, read_open_entries

_Run = TypeVar("_Run", RecordedRun, RunOutline)


class Stores:
    """The stores of taps and targets. They are only read; any of them may not exist yet.

    Raises: ConfigError.
    """

    def __init__(self, *, ledger_urls: list[str], snapshot_urls: list[str]) -> None:
        self._ledger_urls = ledger_urls
        self._histories = [History(url, store="snapshot") for url in snapshot_urls]
        self._histories += [History(url, store="ledger") for url in ledger_urls]

    def outlines(self) -> list[RunOutline]:
        """Return the outlines of all runs, the latest first."""
        return _latest_first(run for history in self._histories for run in history.outlines())

    def runs(self, last: int, run_id: str = "") -> list[RecordedRun]:
        """Return the last runs whose id begins so, the latest first."""
        return _latest_first(run for history in self._histories for run in history.runs(last, run_id=run_id))[:last]

    def runs_by_id(self, run_ids: Iterable[str]) -> list[RecordedRun]:
        """Return these runs, the latest first."""
        ids = list(run_ids)
        return _latest_first(run for history in self._histories for run in history.runs_by_id(ids))

    def reject_entries(self) -> list[RejectEntry]:
        """Return the open rejects of all accounts, the oldest first."""
        found = [entry for url in self._ledger_urls for entry in read_open_entries(url)]
        return sorted(found, key=lambda entry: entry.first_at)

    def uncertain_entries(self) -> list[UncertainEntry]:
        """Return the creates and links of the ledger whose outcome is unknown, the oldest first."""
        found = [entry for url in self._ledger_urls for entry in uncertain_entries(url)]
        return sorted(found, key=lambda entry: entry.sent_at)

    def close(self) -> None:
        """Close the connections."""
        for history in self._histories:
            history.close()


@contextmanager
def open_stores(ledger_url: str | None = None, snapshot_url: str | None = None) -> Iterator[Stores]:
    """Open the stores at these URLs, else at those of the environment, else all default ones. Raises: ConfigError."""
    environment = environment_variables()
    stores = Stores(
        ledger_urls=_urls(ledger_url or environment.get("TARGET_FIELDPULSE_LEDGER_URL"), "ledger"),
        snapshot_urls=_urls(snapshot_url or environment.get("TAP_FIELDPULSE_SNAPSHOT_URL"), "snapshot"),
    )
    try:
        yield stores
    finally:
        stores.close()


def _urls(url: str | None, store: StoreName) -> list[str]:
    return [url] if url else [url_in(folder, store) for folder in all_folders(store)]


def _latest_first(runs: Iterable[_Run]) -> list[_Run]:
    """Return runs by their begin. Both histories are the same where one PostgreSQL has both stores."""
    return sorted({run.run_id: run for run in runs}.values(), key=lambda run: run.began_at, reverse=True)
