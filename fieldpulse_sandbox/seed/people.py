"""Invented people, streets and companies. E-mail addresses are at example domains, phone numbers are 555-01xx."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIRST = [
    "Ada",
    "Basil",
    "Clover",
    "Dario",
    "Edda",
    "Flint",
    "Greta",
    "Hollis",
    "Ines",
    "Juniper",
    "Kasper",
    "Linnea",
    "Marigold",
    "Nestor",
    "Odette",
    "Piper",
    "Quill",
    "Rowan",
    "Sorrel",
    "Tavi",
    "Ursa",
    "Viola",
    "Wendell",
    "Xenia",
    "Yarrow",
    "Zora",
    "Alder",
    "Bryony",
    "Corin",
    "Delphine",
    "Elio",
    "Fenna",
]
LAST = [
    "Tester",
    "Placeholder",
    "Sampleton",
    "Mockridge",
    "Fixture",
    "Stubbs",
    "Dummyfield",
    "Specimen",
    "Draftwell",
    "Exampleby",
    "Proofrock",
    "Demoray",
    "Trialford",
    "Modelle",
    "Patternson",
    "Seedling",
    "Faketon",
    "Protoson",
    "Tryout",
    "Dryrun",
    "Sandoval-Box",
    "Testerman",
    "Inventwood",
    "Fictor",
]
STREETS = ("Sample Creek Rd", "Placeholder Ave", "Mock Orange Ln", "Fixture Blvd", "Proof Hill Dr", "Demo Plaza")
CITIES = (("Testville", "TX", "75000"), ("Sampleburg", "OH", "43000"), ("Mockport", "OR", "97000"))
TRADES = ("Bakery", "Dental", "Property Group", "Storage", "Brewing Co", "Church", "Auto Repair", "Apartments")
DOMAINS = ("example.com", "example.org", "example.net")


@dataclass(frozen=True)
class Person:
    """An invented person. `number` makes the e-mail address unique in the account."""

    first: str
    last: str
    number: int
    area: int
    line: int

    @property
    def name(self) -> str:
        """Return first and last name."""
        return f"{self.first} {self.last}"

    @property
    def email(self) -> str:
        """Return an address that cannot receive mail."""
        domain = DOMAINS[self.number % len(DOMAINS)]
        return f"{self.first}.{self.last}.{self.number}@{domain}".lower()

    @property
    def phone(self) -> str:
        """Return the phone number as people type it."""
        return f"{self.area} 555 {self.line:04d}"

    @property
    def phone_e164(self) -> str:
        """Return the phone number in E.164 form."""
        return f"+1{self.area}555{self.line:04d}"


def person(rng: Random, number: int) -> Person:
    """Return an invented person with this number."""
    return Person(rng.choice(FIRST), rng.choice(LAST), number, rng.randrange(201, 990), rng.randrange(100, 200))


def address(rng: Random) -> dict[str, str]:
    """Return the address columns of an invented location."""
    city, state, zip_code = rng.choice(CITIES)
    unit = f"Unit {rng.choice('ABCD')}" if rng.randrange(5) == 0 else ""
    street = f"{rng.randrange(1, 999)} {rng.choice(STREETS)}"
    return {"address_1": street, "address_2": unit, "city": city, "state": state, "zip_code": zip_code}
