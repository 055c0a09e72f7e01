"""The parameter `asn`: rows by who is assigned to them (contract 3.4). Its form on the wire is assumed (I)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fieldpulse_sandbox.data.conditions import Condition
from fieldpulse_sandbox.data.store import Store

COLUMNS = {
    "customers": "assigned_to",
    "jobs": "assignments",
    "material_lists": "assignments",
    "projects": "assignments",
    "subtasks": "assignments",
}
"""Where a row says who is assigned. Locations document `asn` as well, but have no such column and ignore it."""
TEAM = "asn[team_id]"
MEMBER = re.compile(r"asn\[assigned_members\]\[\d*\]")
NESTED = "assignments"


def asn_conditions(store: Store, name: str, query: Sequence[tuple[str, str]]) -> list[Condition]:
    """Return the conditions of `asn` on this list: any of these users, and this team; both if both are given."""
    column = COLUMNS.get(name)
    if column is None:
        return []
    users = [value for key, value in query if MEMBER.fullmatch(key)]
    team = dict(query).get(TEAM)
    found = [_by_users(column, users)] if users else []
    return [*found, _by_team(store, column, team)] if team else found


def _by_users(column: str, users: Sequence[str]) -> Condition:
    return Condition(column, "assigned" if column == NESTED else "in", ",".join(users))


def _by_team(store: Store, column: str, team: str) -> Condition:
    """Return what a team's rows have; where a row names one user only, that one is in the team (assumed)."""
    if column == NESTED:
        return Condition(column, "team", team)
    row = store.find("teams", team)
    return _by_users(column, [str(member["id"]) for member in row["members"]] if row else [])
