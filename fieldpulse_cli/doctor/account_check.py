"""What is true of this account? At most 60 requests that only read: each list is looked at, and then what is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import AuthenticationError, FieldPulseError, QuotaExceeded, RequestLimitReached
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Evidence, Resource
from fieldpulse_api.values.scalars import iso_timestamp, optional_time

from .findings import Finding, clock, of_list, zone
from .list_probe import MOST, PUBLIC, Probe

MOST_REQUESTS = 60
TRIES = 2
"""How often the client may send what fails: more would be too many."""
_MOST_SKEW_SECONDS = 30
_MOST_SECONDS = 300.0  # an account that answers at all is through in a few
_MANY = 200
_KNOCKS = 3


class Examination:
    """Ask an account; `profile` holds the answers at the end.

    The client is one that sends what fails no more than `TRIES` times.
    """

    def __init__(self, client: Client) -> None:
        self.profile = AccountProfile(asked_at=iso_timestamp(datetime.now(timezone.utc)))
        self._client = client
        self._reading = ReadOptions(zone=client.settings.zone)
        self._until = time.monotonic() + _MOST_SECONDS
        self._ends = self._longest = ""
        self._probes = [self._probe(one) for one in RESOURCES]

    def findings(self) -> Iterator[Finding]:
        """Yield what is found; no more than the first FAIL, where the key is not accepted or nothing answers."""
        first = self._probes[0]
        try:
            self._knock()
            self._ask_lists(first)
            self._ask_about_all()
            self._ask_more(is_paged=False)
            self._pass_the_end()
            self._ask_more(is_paged=True)
        except RequestLimitReached:
            pass  # enough was asked
        except QuotaExceeded as error:
            yield Finding("FAIL", "quota", "left", error.what, error.hint)
        except FieldPulseError as error:
            yield Finding("FAIL", "key", "accepted", error.what, error.hint)
            return
        if not any(one.first for one in self._probes):
            yield self._nowhere()
            return
        yield Finding("ok", "key", "accepted", f"at {self._client.settings.api_url}")
        self.profile.lists = {one.resource.name: one.facts for one in self._probes}
        yield from self._of_account(first)
        for one in self._probes:
            yield from of_list(one)
        yield self._assumed()

    def _probe(self, resource: Resource) -> Probe:
        return Probe(self._client, resource, self._reading)

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Put a question while time is left."""
        return question() if time.monotonic() < self._until else None

    def _nowhere(self) -> Finding:
        """Say that nothing was where lists should be: that the key is accepted was not seen."""
        what = f"none of {len(self._probes)} lists answered at {self._client.settings.api_url}"
        return Finding(
            "FAIL", "key", "accepted", what, "check api_url, the path too; or ask again when it is less busy"
        )

    def _knock(self) -> None:
        """Look at three lists, whether anything answers to the key. Raises: what the first failed with, if all do."""
        some = [one for one in self._probes if not one.resource.parent][:_KNOCKS]
        for one in some:
            one.look()
            if one.facts.is_there is not None:
                return
        raise next(one.error for one in some if one.error)

    def _ask_lists(self, first: Probe) -> None:
        """See each list once; those below a customer, of the first customer."""
        for one in self._probes:
            if one.first or one.error:
                continue
            if one.resource.parent and first.first and first.first.ids:
                one.path = one.resource.path.format(customer_id=first.first.ids[0])
            if "{" not in one.path:
                self._ask(one.look)
            if isinstance(one.error, AuthenticationError):
                self._check_key()

    def _check_key(self) -> None:
        """See whether the key is refused everywhere by now, or only for one list. Raises: BadKey."""
        known = next((one for one in self._probes if one.first), self._probes[0])
        again = self._probe(known.resource)
        self._ask(again.look)
        if isinstance(again.error, AuthenticationError):
            raise again.error

    def _ask_about_all(self) -> None:
        """Ask what is the same for all lists."""
        there = [one for one in self._probes if one.first is not None]
        try:
            reply = self._ask(lambda: self._client.get("/version"))
            self.profile.version_is_wrapped = bool(reply.envelope_extras) if reply else None
        except (RequestLimitReached, QuotaExceeded):
            raise
        except FieldPulseError:
            pass  # nothing needs it
        longest = max(there, key=lambda one: one.counted or 0, default=None)
        if longest and (longest.counted or _MANY) > MOST and not longest.is_small:
            self.profile.over_limit = self._ask(lambda: longest.ask_for_more(_MANY))
            self._longest = longest.resource.name

    def _pass_the_end(self) -> None:
        """Ask behind the end of a list that is known to have pages, or is believed to."""
        there = [one for one in self._probes if one.first and one.first.rows]
        by_proof = sorted(there, key=lambda one: (not one.facts.pages, not one.resource.supports_page))
        if by_proof and by_proof[0].facts.pages is not False:
            self.profile.past_the_end = self._ask(by_proof[0].pass_the_end)
            self._ends = by_proof[0].resource.name

    def _ask_more(self, *, is_paged: bool) -> None:
        """Ask lists how they sort, page and filter; those that document no page are asked first."""
        some = [one for one in self._probes if not one.is_small and one.resource.supports_page is is_paged]
        for one in some:
            if one.resource.supports_sort:
                one.fears_filters = any(other.has_failed for other in self._probes)
                self._ask(one.turn)
        for one in [*some, *some]:  # what may be chance is asked twice
            if one.facts.pages is None and one.facts.limits is not False:
                self._ask(one.go_on)

    def _of_account(self, first: Probe) -> Iterator[Finding]:
        first = next((one for one in self._probes if one.first), first)
        if first.first:
            reply = first.first.response
            yield clock(reply.date if reply.has_server_date else None, first.asked_at, _MOST_SKEW_SECONDS)
            self.profile.envelope_extras = sorted(name for name in reply.envelope_extras if PUBLIC.match(name))
            beside = ", ".join(self.profile.envelope_extras) or "nothing"
            yield Finding("ok", "envelope", "keys", f"response, and beside it: {beside}")
        if self.profile.version_is_wrapped is not None:
            form = "in the envelope" if self.profile.version_is_wrapped else "bare"
            yield Finding("ok", "version", "form", f"answers {form}")
        yield from self._limits()
        self.profile.times_fit_zone, finding = zone(self._newest(), str(self._client.settings.zone))
        yield finding

    def _limits(self) -> Iterator[Finding]:
        if not self.profile.past_the_end:
            yield Finding("ok", "lists", "past the end", "not told: no list was found to have pages")
        else:
            what = {"empty": "an empty page", "rows": "rows", "error": "an error"}[self.profile.past_the_end]
            grade = "ok" if self.profile.past_the_end == "empty" else "warn"
            yield Finding(grade, self._ends, "past the end", f"{what} past the last page")  # type: ignore[arg-type]
        if not self.profile.over_limit:
            yield Finding("ok", "lists", "limit over 100", "not told: no list has more rows than that")
        else:
            what = {
                "honoured": f"a limit of {_MANY} is honoured",
                "100": f"a limit of {_MANY} gives 100 rows",
                "fewer": f"a limit of {_MANY} gives fewer than 100 rows",
                "refused": f"a limit of {_MANY} is refused",
            }[self.profile.over_limit]
            yield Finding("ok", self._longest, "limit over 100", what)

    def _newest(self) -> timedelta | None:
        """Return how far the newest change lies behind the server's clock, of that list that shows the newest."""
        ages = []
        for one in self._probes:
            if one.first is None or not one.resource.updated_column:
                continue
            for row in one.first.rows:
                changed = optional_time(row.get(one.column), self._reading.zone)
                ages += [one.first.response.date - changed] if changed else []
        return min(ages, default=None)

    def _assumed(self) -> Finding:
        """Say of which lists we know only what we assume, and have seen nothing now."""
        assumed = [one for one in self._probes if one.resource.evidence is Evidence.INFERRED]
        unseen = [one.resource.name for one in assumed if one.first is None or not one.first.rows]
        text = f"of {len(assumed)} lists the form of rows was only assumed; of these no row was seen now either: "
        return Finding("ok", "catalogue", "assumed", text + (", ".join(unseen) or "none"))
