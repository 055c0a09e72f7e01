"""The account profile: what `fieldpulse doctor` found out about an account, as tap and target use it.

A wrong profile never makes a run wrong. What it says does not work is not tried; everything else is checked as usual.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import msgspec

from fieldpulse_api.resources.model import Resource

from .errors import ConfigError

VERSION = 1
_MAX_BYTES = 2**24


class ListFacts(msgspec.Struct, kw_only=True):
    """The behaviour of one list. None means unknown: the list has too few rows, or the request limit was reached.

    `is_available`: the account's plan includes the list. `counts_rows`: when the server sends a count, under the key
    `count_key`. `obeys_page`, `obeys_limit` and `obeys_filter` (on the time of the last change): the parameter has an
    effect. `sorts_by`: whether the list sorts, by column. `page_size`: how many rows fit into one response, if not 100;
    `row_bytes`: bytes of a row. Fields are compared with the catalogue's schema.
    """

    is_available: bool | None = None
    counts_rows: Literal["always", "on_request", "never"] | None = None
    count_key: str | None = None
    obeys_page: bool | None = None
    obeys_limit: bool | None = None
    sorts_by: dict[str, bool] = {}
    obeys_filter: bool | None = None
    page_size: int | None = None
    row_bytes: int | None = None
    unknown_fields: list[str] = []
    missing_fields: list[str] = []
    time_formats: list[str] = []


class WriteFacts(msgspec.Struct, kw_only=True):
    """The behaviour of writes, as a test customer showed it. None means unknown; a status is an HTTP status.

    `put_merges`: a PUT leaves fields unchanged that are not in its body. `put_requires_names`: a PUT must contain the
    customer's name. `null_clears`, `empty_clears`: what in a PUT clears a text. `accepts_…`: the forms of times and of
    object types that FieldPulse accepts. `get_deleted_status`: the status of a GET for a deleted row.
    """

    create_status: int | None = None
    create_returns_row: bool | None = None
    validation_status: int | None = None
    put_merges: bool | None = None
    put_requires_names: bool | None = None
    null_clears: bool | None = None
    empty_clears: bool | None = None
    accepts_unix_times: bool | None = None
    accepts_text_times: bool | None = None
    accepts_short_object_type: bool | None = None
    accepts_class_object_type: bool | None = None
    delete_status: int | None = None
    get_deleted_status: int | None = None
    times_are_utc: bool | None = None


class AccountProfile(msgspec.Struct, kw_only=True):
    """The profile of one account. It contains no key, no name of the account and no personal data.

    `office_names` are rows of the lists of such names, by resource, if the doctor was told to keep them.
    `envelope_extras` are the keys of the envelope beside the rows. `past_last_page` is what a page after the last one
    contains, `over_limit` the effect of a `limit` above 100, `users_over_limit` the same for users. Lists have
    `FieldPulse-…` headers with `has_count_headers`, and return deleted rows for `deleted=true` with
    `lists_deleted_rows`. `asn_form`: the form of `asn` that has an effect. `times_match_zone`: timestamps agree with
    the zone in the settings.
    """

    version: int = VERSION
    checked_at: str = ""
    envelope_extras: list[str] = []
    version_is_wrapped: bool | None = None
    past_last_page: Literal["empty", "rows", "error"] | None = None
    over_limit: Literal["honoured", "100", "fewer", "refused"] | None = None
    users_over_limit: Literal["honoured", "100", "fewer", "refused"] | None = None
    has_count_headers: bool | None = None
    lists_deleted_rows: bool | None = None
    asn_form: Literal["indexed", "flat", "ignored"] | None = None
    times_match_zone: bool | None = None
    lists: dict[str, ListFacts] = {}
    writes: WriteFacts = msgspec.field(default_factory=WriteFacts)
    office_names: dict[str, list[dict[str, Any]]] = {}

    @classmethod
    def read(cls, path: str) -> AccountProfile:
        """Read a profile from a file. Raises: ConfigError."""
        where, hint = f"setting profile_path · {path}", "write it with `fieldpulse doctor --profile FILE`"
        try:
            # A pipe without a writer is empty, and must not hang.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                os.set_blocking(file.fileno(), True)
                profile = msgspec.json.decode(file.read(_MAX_BYTES), type=cls)
        except (OSError, ValueError, RecursionError) as error:
            what = f"The profile cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})."
            raise ConfigError(what, where=where, hint=hint) from None
        if profile.version != VERSION:
            raise ConfigError(f"The profile has version {profile.version}, not {VERSION}.", where=where, hint=hint)
        return profile

    def to_json(self) -> bytes:
        """Return the profile as indented JSON, which `read` reads."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def to_dict(self) -> Any:
        """Return the profile as a dict of JSON values."""
        return msgspec.to_builtins(self)

    def is_unavailable(self, resource: Resource) -> bool:
        """Return whether the account's plan excludes a list; for lists of a parent row this is never known."""
        return self.facts_for(resource).is_available is False and not resource.parent

    def facts_for(self, resource: Resource) -> ListFacts:
        """Return the facts about a list; all are unknown for a list that the profile lacks."""
        return self.lists.get(resource.name, ListFacts())
