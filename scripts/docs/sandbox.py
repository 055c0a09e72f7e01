"""Profiles, switches and faults of the sandbox, as tables."""

from __future__ import annotations

from dataclasses import fields

from fieldpulse_sandbox.behaviour.profiles import ABOUT, PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import KINDS, Fault
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.options import Options, described_options, option_text

from .tables import table


def profiles_table() -> str:
    """Return the profiles as a table, with the switches whose values differ from the defaults."""
    rows = []
    for name, behaviour in PROFILES.items():
        differing = [
            f"`{switch.name}={option_text(value)}`"
            for switch in fields(Behaviour)
            if (value := getattr(behaviour, switch.name)) != switch.default
        ]
        rows.append((f"`{name}`", ABOUT[name], " ".join(differing)))
    return table(("profile", "what it is", "switches"), rows)


def switches_table() -> str:
    """Return the behaviour switches as a table."""
    return _options_table(Behaviour, "switch")


def faults_table() -> str:
    """Return the kinds of faults as a table."""
    return table(("kind", "what happens"), [(f"`{kind}`", text) for kind, text in KINDS.items()])


def fault_options_table() -> str:
    """Return the options of a fault as a table."""
    return _options_table(Fault, "option")


def random_faults_table() -> str:
    """Return the options of random faults as a table."""
    return _options_table(RandomFaults, "`--fault-…`")


def _options_table(options: Options, title: str) -> str:
    rows = [
        (f"`{option.name}`", option.values, f"`{option.default}`", option.description)
        for option in described_options(options)
    ]
    return table((title, "values", "default", "meaning"), rows)
