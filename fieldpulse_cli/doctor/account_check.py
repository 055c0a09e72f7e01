"""Check of an account with at most 60 requests that only read. It concludes nothing that two causes could explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import AuthenticationError, FieldPulseError, QuotaExceeded, RequestLimitReached
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Evidence, Resource
from fieldpulse_api.values.scalars import iso_timestamp, optional_time

from .findings import Finding, Grade, clock_finding, list_findings, time_zone_finding
from .list_probe import MAX_PAGE_ROWS, ListProbe
from .row_description import PUBLIC_NAME

MAX_REQUESTS = 60
MAX_ATTEMPTS = 2
"""How often the client may send a failing request; more would use up the limit."""
_MAX_CLOCK_SKEW_SECONDS = 30
_MAX_SECONDS = 300.0  # a responsive account takes a few seconds
_LARGE_LIMIT = 200
_REACHABILITY_PROBES = 3
_PAST_END = {"empty": "an empty page", "rows": "rows", "error": "an error"}
_OVER_LIMIT = {
    "honoured": f"a limit of {_LARGE_LIMIT} is honoured",
    "100": f"a limit of {_LARGE_LIMIT} returns 100 rows",
    "fewer": f"a limit of {_LARGE_LIMIT} returns fewer than 100 rows",
    "refused": f"a limit of {_LARGE_LIMIT} is rejected",
}
_T = TypeVar("_T")


class AccountCheck:
    """Check of the account that a key belongs to; `profile` and `probes` hold the results at the end.

    The client should send a failing request at most `MAX_ATTEMPTS` times and `MAX_REQUESTS` in total.
    """

    def __init__(self, client: Client) -> None:
        self.profile = AccountProfile(checked_at=iso_timestamp(datetime.now(timezone.utc)))
        self._client = client
        self._options = ReadOptions(zone=client.settings.zone)
        self._deadline = time.monotonic() + _MAX_SECONDS
        self._past_end_list = self._over_limit_list = ""
        self.probes = [self._probe(resource) for resource in RESOURCES]

    def findings(self) -> Iterator[Finding]:
        """Yield the findings; only one FAIL if the key is not accepted, its quota is used up or no list responds."""
        quota_error = None
        try:
            self._check_reachable()
            self._read_lists()
            self._check_version()
            self._read_over_limit()
            self._read_parameters()
            self._probe_lists(with_documented_page=False)
            self._read_past_end()
            self._probe_lists(with_documented_page=True)
        except RequestLimitReached:
            pass  # the findings say what was not checked
        except QuotaExceeded as error:
            quota_error = error
            yield Finding("FAIL", "quota", "left", error.what, error.hint)
        except FieldPulseError as error:
            yield Finding("FAIL", "key", "accepted", error.what, error.hint)
            return
        responsive = next((probe for probe in self.probes if probe.first_page), None)
        if responsive is None:
            if not quota_error:
                yield self._no_list_responded()
            return
        yield Finding("ok", "key", "accepted", f"at {self._client.settings.api_url}")
        self.profile.lists = {probe.resource.name: probe.facts for probe in self.probes}
        yield from self._account_findings(responsive)
        for probe in self.probes:
            yield from list_findings(probe)
        yield self._inferred_lists()

    def _probe(self, resource: Resource) -> ListProbe:
        return ListProbe(self._client, resource, self._options)

    def _if_time_left(self, question: Callable[[], _T | None]) -> _T | None:
        return question() if time.monotonic() < self._deadline else None

    def _no_list_responded(self) -> Finding:
        """Return the finding that no list responded; then nothing shows that the key is accepted."""
        return Finding(
            "FAIL",
            "key",
            "accepted",
            f"none of {len(self.probes)} lists responded at {self._client.settings.api_url}",
            "check api_url, including its path, or try again later",
        )

    def _check_reachable(self) -> None:
        """Read three lists. Raises: the error of the first, if all fail."""
        probes = [probe for probe in self.probes if not probe.resource.parent][:_REACHABILITY_PROBES]
        for probe in probes:
            probe.read_newest()
            if probe.facts.is_available is not None:
                return
        raise next(probe.error for probe in probes if probe.error)

    def _read_lists(self) -> None:
        """Read each list once; child lists for the first customer."""
        customers = self.probes[0]
        for probe in self.probes:
            if probe.first_page or probe.error:
                continue
            if probe.resource.parent and customers.first_page and customers.first_page.ids:
                probe.path = probe.resource.path.format(customer_id=customers.first_page.ids[0])
            if "{" not in probe.path:
                self._if_time_left(probe.read_newest)
            if isinstance(probe.error, AuthenticationError):
                self._raise_if_key_rejected()

    def _raise_if_key_rejected(self) -> None:
        """Read a list that responded before, to tell a revoked key from a list that the key may not read.

        Raises: AuthenticationError.
        """
        responsive = next((probe for probe in self.probes if probe.first_page), self.probes[0])
        again = self._probe(responsive.resource)
        self._if_time_left(again.read_newest)
        if isinstance(again.error, AuthenticationError):
            raise again.error

    def _check_version(self) -> None:
        try:
            response = self._if_time_left(lambda: self._client.get("/version"))
        except (RequestLimitReached, QuotaExceeded):
            raise
        except FieldPulseError:
            return  # nothing depends on it
        self.profile.version_is_wrapped = bool(response.envelope_extras) if response else None

    def _read_over_limit(self) -> None:
        """Read the longest list with a limit above the documented one."""
        probes = [probe for probe in self.probes if probe.first_page is not None]
        longest = max(probes, key=lambda probe: probe.server_count or 0, default=None)
        if longest and (longest.server_count or _LARGE_LIMIT) > MAX_PAGE_ROWS and not longest.is_small:
            self.profile.over_limit = self._if_time_left(lambda: longest.read_over_limit(_LARGE_LIMIT))
            self._over_limit_list = longest.resource.name

    def _read_parameters(self) -> None:
        """Ask what concerns the whole account: a large limit on users, deleted rows, and the form of `asn`."""
        by_name = {probe.resource.name: probe for probe in self.probes}
        users, jobs = by_name["users"], by_name["jobs"]
        if (users.server_count or 0) > MAX_PAGE_ROWS:
            self.profile.users_over_limit = self._if_time_left(lambda: users.read_over_limit(_LARGE_LIMIT))
        if jobs.first_page:
            self.profile.lists_deleted_rows = self._if_time_left(jobs.read_deleted)
            self.profile.asn_form = self._if_time_left(jobs.read_assigned)

    def _read_past_end(self) -> None:
        """Read past the end of a list that honours `page`, or at least documents it."""
        probes = [probe for probe in self.probes if probe.first_page and probe.first_page.rows]
        best = min(
            probes, key=lambda probe: (not probe.facts.obeys_page, not probe.resource.supports_page), default=None
        )
        if best and best.facts.obeys_page is not False:
            self.profile.past_last_page = self._if_time_left(best.read_past_end)
            self._past_end_list = best.resource.name

    def _probe_lists(self, *, with_documented_page: bool) -> None:
        """Probe how lists sort, filter and page. Lists that document no `page` come first, as more depends on them."""
        probes = [
            probe
            for probe in self.probes
            if not probe.is_small and probe.resource.supports_page is with_documented_page
        ]
        for probe in probes:
            if probe.resource.supports_sort:
                probe.skip_filters = any(other.failed_with_filter for other in self.probes)
                self._if_time_left(probe.read_reversed)
        for probe in [*probes, *probes]:  # twice, because a list without sort has to show it twice
            if probe.facts.obeys_page is None and probe.facts.obeys_limit is not False:
                self._if_time_left(probe.read_second_page)

    def _account_findings(self, responsive: ListProbe) -> Iterator[Finding]:
        if responsive.first_page:
            response = responsive.first_page.response
            server_time = response.date if response.has_server_date else None
            yield clock_finding(server_time, responsive.first_read_at, _MAX_CLOCK_SKEW_SECONDS)
            extras = sorted(name for name in response.envelope_extras if PUBLIC_NAME.match(name))
            self.profile.envelope_extras = extras
            yield Finding("ok", "envelope", "keys", f"response, and: {', '.join(extras) or 'nothing else'}")
        if self.profile.version_is_wrapped is not None:
            form = "in the envelope" if self.profile.version_is_wrapped else "bare"
            yield Finding("ok", "version", "form", f"is sent {form}")
        yield from self._parameter_findings(responsive)
        yield self._past_end_finding()
        yield self._over_limit_finding()
        self.profile.times_match_zone, finding = time_zone_finding(
            self._age_of_newest_change(), str(self._options.zone)
        )
        yield finding

    def _parameter_findings(self, responsive: ListProbe) -> Iterator[Finding]:
        profile = self.profile
        headers = responsive.first_page.response.vendor_headers if responsive.first_page else {}
        profile.has_count_headers = bool(headers)
        yield Finding("ok", "headers", "FieldPulse-…", ", ".join(sorted(headers)) or "are not sent")
        effects = {"True": "returns deleted rows", "False": "has no effect"}
        yield _answer("lists", "deleted=true", effects.get(str(profile.lists_deleted_rows)))
        forms = {"indexed": "asn[0][…] works", "flat": "asn[…] works", "ignored": "neither form has an effect"}
        yield _answer("lists", "asn", forms.get(str(profile.asn_form)))
        yield _answer("users", "limit over 100", _OVER_LIMIT.get(str(profile.users_over_limit)))

    def _past_end_finding(self) -> Finding:
        result = self.profile.past_last_page
        if not result:
            return Finding("unknown", "lists", "past the end", "no list was found to have pages")
        grade: Grade = "ok" if result == "empty" else "warn"
        return Finding(grade, self._past_end_list, "past the end", f"{_PAST_END[result]} past the last page")

    def _over_limit_finding(self) -> Finding:
        result = self.profile.over_limit
        if not result:
            return Finding("unknown", "lists", "limit over 100", "no list is longer")
        return Finding("ok", self._over_limit_list, "limit over 100", _OVER_LIMIT[result])

    def _age_of_newest_change(self) -> timedelta | None:
        """Return the age of the newest change in any list, by the server's clock."""
        ages = []
        for probe in self.probes:
            if probe.first_page is None or not probe.resource.updated_column:
                continue
            for row in probe.first_page.rows:
                updated_at = optional_time(row.get(probe.column), self._options.zone)
                ages += [probe.first_page.response.date - updated_at] if updated_at else []
        return min(ages, default=None)

    def _inferred_lists(self) -> Finding:
        """Return which lists have a schema that is only inferred, and showed no row to compare it with."""
        inferred = [probe for probe in self.probes if probe.resource.evidence is Evidence.INFERRED]
        without_rows = [
            probe.resource.name for probe in inferred if probe.first_page is None or not probe.first_page.rows
        ]
        text = f"the schema of {len(inferred)} lists is inferred; without a row to confirm it: "
        return Finding("ok", "catalogue", "inferred", text + (", ".join(without_rows) or "none"))


def _answer(about: str, check: str, text: str | None) -> Finding:
    return Finding("ok", about, check, text) if text else Finding("unknown", about, check, "no response could show it")
