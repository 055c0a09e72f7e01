"""The server's words in log lines: only words that validations use, and names of the API, so none of a person.

A message may repeat the values of the request, or those of another row: "Customer Ada Byron already exists". Words that
cannot be told from names are left out; the rejects file, which holds the record too, has the message in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from fieldpulse_api.errors import without_personal_data
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource, WritableResource

_OMITTED = "[…]"
_WORD = re.compile(r"[^\s.,;:!?]+(?:[.,;:!?]+[^\s.,;:!?]+)*")
_SEPARATORS = re.compile(r"[\W_]+")
_OMITTED_IN_A_ROW = re.compile(r"\[…\](?:[\s,;]*\[…\])+")
_MAX_DIGITS = 3  # of a limit or a position; longer numbers may be of a phone or an address
_WORDS = """
a above accepted access active address after again all alpha already and any are array assigned associated at attached
authentication bad be been before belongs below between body boolean by bytes call can cannot case characters child
code column confirmation confirmed constraint contain contains could create created creating credentials date day
decimal delete deleted deleting denied depends did different digits disabled do does domain duplicate dynamic e
element elements empty enabled encoded end endpoint ends entity entries entry equal error errors exactly exceed
exceeded exist exists expected expired expression failed false feature field fields file filled follows for forbidden
foreign format found from future gateway given greater has have hours id if image in include included input integer
integrity internal invalid ip ipv4 ipv6 is it items its json key keys kilobytes later least length less letters limit
linked list locked long longer lower lowercase mail many match maximum may method minimum minutes missing model more
most multiple must negative no none not null number numbers numeric object of on one only operation or out parameter
parent part password past pattern percent plan please positive postal present processed prohibited provided query
range read received record records reference regex relation request requests required resource retry route row rows
same schema seconds selected server service set short shorter sign signature size something source start starts state
status string such support supported table taken temporarily text than that the there this time timed timeout
timestamp timezone to token too true try type unable unauthorized unavailable unexpected unique unit unknown unless
unprocessable unsupported update updated updating upload uploaded uppercase url use used valid value values violates
violation was went were when with without wrong zero zone
"""


def for_log(message: str) -> str:
    """Return a message of the server without words that may be personal data, cut at 300 characters."""
    harmless = _WORD.sub(lambda word: word[0] if _is_harmless(word[0]) else _OMITTED, without_personal_data(message))
    return _OMITTED_IN_A_ROW.sub(_OMITTED, harmless)


def _is_harmless(word: str) -> bool:
    parts = [part.lower() for part in _SEPARATORS.split(word) if part]
    return all(part in _vocabulary() or (part.isdigit() and len(part) <= _MAX_DIGITS) for part in parts)


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """Return the words of validations, and those in the names of the API's resources and columns."""
    names = (name for resource in RESOURCES for name in _names_in(resource))
    return frozenset(_WORDS.split()) | {part.lower() for name in names for part in _SEPARATORS.split(name) if part}


def _names_in(resource: Resource) -> Iterator[str]:
    yield resource.name
    yield resource.singular
    yield from resource.schema["properties"]
    if isinstance(resource, WritableResource):
        yield from resource.write_spec.by_name
