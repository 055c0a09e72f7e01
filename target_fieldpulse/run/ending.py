"""The end of a run: its services are closed, its counts are logged, and its report and exit status say what became."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_plugin.exit_codes import report_error
from target_fieldpulse.reporting.open_rejects import OpenCount, read_open_count
from target_fieldpulse.reporting.outcomes import Outcomes
from target_fieldpulse.reporting.report import RunTimer, closing_line, dry_rejects_hint, summary_table, write_report
from target_fieldpulse.reporting.value_counts import ValueCounts
from target_fieldpulse.settings import TargetSettings

from .wiring import RunServices

_LOGGER = logging.getLogger(__name__)


class RunEnding:
    """The end of one run, which begins when this is made. `open_rejects` are counted at the end.

    With `is_observed`, another program has learned why records were rejected, and the log need not say where to look.
    """

    def __init__(
        self, settings: TargetSettings, outcomes: Outcomes, value_counts: ValueCounts, *, is_observed: bool
    ) -> None:
        self.open_rejects = OpenCount()
        self._settings, self._outcomes, self._value_counts = settings, outcomes, value_counts
        self._is_dry, self._is_observed = settings.dry_run, is_observed
        self._timer = RunTimer()

    def close(self, services: RunServices | None, status: int | None) -> int:
        """Close the services of a run, log its summary, write its report, and return its exit status.

        A run that got no SCHEMA has no services. `status` is that of the error that ended the run; without an error the
        outcomes decide.
        """
        counts = self._outcomes.close()
        if services:
            status = _close_services(services, status)
            self.open_rejects = services.rejects.count
        if status is None:
            if services is None:  # it has opened no ledger, and need not have it
                with suppress(FieldPulseError):
                    self.open_rejects = read_open_count(self._settings.ledger_url)
            status = int(self._has_failed(services))
        self._log(counts, quota=services.client.quota_text() if services else "")
        if self._settings.report_path and not self._settings.writes_page:
            try:
                write_report(self._settings.report_path, self._report(services, counts, status))
            except OSError as error:  # does not change how the run ended
                _LOGGER.warning("The report cannot be written (%s): setting report_path", error.strerror)
        return status

    def _has_failed(self, services: RunServices | None) -> bool:
        """Return whether a person has to look at records of this run, by the setting on_reject."""
        rejected, failed = self._outcomes["rejected"], self._outcomes["failed"]
        if self._settings.on_reject == "fail_once" and services and not self._is_dry:
            rejected = failed = services.rejects.new_count
        elif self._settings.on_reject == "ignore":
            rejected = 0
        return bool(self._outcomes["uncertain"] or failed or rejected)

    def _log(self, counts: Mapping[str, Mapping[str, int]], *, quota: str) -> None:
        """Log the summary. Its last line adds up."""
        lines = self._value_counts.lines(self._settings.record_zone), summary_table(counts, is_dry=self._is_dry)
        for line in chain(*lines):
            _LOGGER.info("%s", line)
        if self._is_dry and self._outcomes["rejected"] and not self._is_observed:
            hint = dry_rejects_hint(self._outcomes["rejected"], self._settings.rejects_path_of_run)
            _LOGGER.warning("%s", hint)
        if self.open_rejects.count:
            _LOGGER.warning("%s", self.open_rejects.line)
        _LOGGER.info("%s%s", closing_line(counts, is_dry=self._is_dry), f"; {quota}" if quota else "")

    def _report(
        self, services: RunServices | None, counts: Mapping[str, Mapping[str, int]], status: int
    ) -> dict[str, Any]:
        return {
            "run": services.audit.run_id if services else None,
            **self._timer.facts(),
            "account": services.ledger.account if services else None,
            "dry_run": self._is_dry,
            "exit_status": status,
            "requests": services.client.request_count if services else 0,
            "rejects_path": str(self._settings.rejects_path_of_run),
            "rejects_waiting": self.open_rejects.count,
            "streams": counts,
            "values": self._value_counts.facts(),
        }


def _close_services(services: RunServices, status: int | None) -> int | None:
    """Close the services, and return the exit status, also of an error that only the end has brought."""
    try:
        if status is None:
            services.runs.end()
        services.close()
    except FieldPulseError as error:
        return status or report_error(error)
    return status
