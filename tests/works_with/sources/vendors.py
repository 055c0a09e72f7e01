"""CRMs and tickets: the real taps in front of APIs that answer from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path

from .source import DATA, Office, RowOf, Source, run_tap, settings_of, settings_of_recipe

_SCRIPT = Path(__file__).with_name("vendor_api.py")
_HUBSPOT_KEY = {"access_token": "none"}
_SALESFORCE_KEY = {
    **dict.fromkeys(("refresh_token", "client_id", "client_secret"), "none"),
    "api_type": "REST",
    "select_fields_by_default": True,
}


def _emitting(
    vendor: str, entry_point: str, config: Mapping[str, object], *streams: str, catalog_option: str = "--catalog"
) -> Callable[[Office], str]:
    command = ("python", str(_SCRIPT), str(DATA / f"{vendor}.json"), entry_point)
    config = {"start_date": "2026-01-01T00:00:00Z", **config}
    return partial(run_tap, command=command, config=config, streams=streams, catalog_option=catalog_option)


HUBSPOT = Source(
    name="meltano-tap-hubspot",
    about="contacts, companies, deals: nested properties, choices, an archived contact, one id in two streams",
    packages=("meltano-tap-hubspot==0.10.1",),
    emit=_emitting("hubspot", "tap_hubspot.tap:TapHubspot.cli", _HUBSPOT_KEY, "contacts", "companies", "deals"),
    settings=settings_of("hubspot.yml"),
    rows={
        "customers": (
            {
                "email": "maria.lopez@example.com",
                "first_name": "Maria",
                "last_name": "Lopez",
                "phone": "+1 214-555-0171",
                "service_address_zip_code": "02134",
                "tags": ["VIP", "Landlord"],
                "customfields": {"Number of units": "12"},
                "status": "lead",
            },
            {"email": "corin.faketon.1@example.org"},
            {
                "company_name": "Mock Orange Apartments",
                "phone": "(214) 555-0172",
                "service_address_city": "Dallas",
                "account_type": "company",
            },
        ),
        "projects": (
            {
                "name": "Heat pump",
                "customer_id": RowOf("customers", "maria.lopez@example.com"),
                "notes": "Amount: 12400.50",
                "end_time": "2026-12-15 17:00:00",
            },
            {"name": "Duct cleaning", "customer_id": RowOf("customers", "corin.faketon.1@example.org")},
        ),
    },
)
HUBSPOT_RECIPE = Source(
    name="recipe-hubspot-contacts",
    about="the recipe with the real tap: contacts with stage, status and lead source",
    packages=HUBSPOT.packages,
    emit=_emitting("hubspot", "tap_hubspot.tap:TapHubspot.cli", _HUBSPOT_KEY, "contacts"),
    settings=settings_of_recipe("hubspot-contacts"),
    rows={
        "customers": (
            {
                "email": "maria.lopez@example.com",
                "first_name": "Maria",
                "last_name": "Lopez",
                "phone": "+1 214-555-0171",
                "status": "lead",
                "pipeline_status_id": "New Lead",
                "lead_source_id": "Website",
                "tags": ["VIP", "Landlord"],
                "customfields": {"Number of units": "12"},
            },
            {"email": "corin.faketon.1@example.org", "status": "opportunity"},
        ),
    },
)
HUBSPOT_SINGER = Source(
    name="tap-hubspot",
    about="contacts and deals of the older API: fields as objects, missing fields, a deal without a contact",
    packages=("tap-hubspot==4.5.0",),
    emit=_emitting(
        "hubspot",
        "tap_hubspot:main",
        dict.fromkeys(("redirect_uri", "client_id", "client_secret", "refresh_token"), "none"),
        *("contacts", "deals"),
        catalog_option="--properties",
    ),
    settings=settings_of("hubspot-singer.yml"),
    rows={
        "customers": (
            {
                "email": "maria.lopez@example.com",
                "first_name": "Maria",
                "last_name": "Lopez",
                "phone": "+1 214-555-0171",
                "customfields": {"Number of units": "12"},
            },
            {"email": "corin.faketon.1@example.org"},
        ),
        "projects": (
            {
                "name": "Heat pump",
                "customer_id": RowOf("customers", "maria.lopez@example.com"),
                "end_time": "2026-12-15 17:00:00",
            },
            {"name": "Duct cleaning"},
        ),
    },
)
SALESFORCE = Source(
    name="tap-salesforce",
    about="leads, work orders, opportunities: anyOf dates, addresses, choices, deleted rows, ACTIVATE_VERSION",
    packages=("tap-salesforce==2.8.1",),
    emit=_emitting(
        "salesforce",
        "tap_salesforce:main",
        _SALESFORCE_KEY,
        *("Lead", "WorkOrder", "Opportunity"),
        catalog_option="--properties",
    ),
    settings=settings_of("salesforce.yml"),
    rows={
        "customers": (
            {
                "email": "imani.okafor@example.com",
                "first_name": "Imani",
                "last_name": "Okafor",
                "company_name": "Mock Bakery",
                "phone": "(214) 555-0161",
                "service_address_1": "8 Placeholder Way",
                "service_address_city": "Dallas",
                "service_address_state": "TX",
                "service_address_zip_code": "75204",
                "tags": ["VIP", "Slow payer"],
                "customfields": {"Number of units": "12"},
            },
            {"email": "corin.faketon.1@example.org", "last_name": "Faketon"},
        ),
        "jobs": (
            {
                "job_type": "Oven exhaust",
                "customer_id": RowOf("customers", "imani.okafor@example.com"),
                "start_time": "2026-12-07 15:00:00",
                "end_time": "2026-12-07 17:30:00",
                "status": 2,
                "notes": "Back door",
            },
            {"job_type": "Inspection", "customer_id": RowOf("customers", "corin.faketon.1@example.org"), "status": 1},
        ),
        "projects": (
            {
                "name": "Rooftop unit",
                "customer_id": RowOf("customers", "imani.okafor@example.com"),
                "completion_percentage": Decimal(75),
                "end_time": "2027-01-31 06:00:00",
            },
        ),
    },
)
SALESFORCE_RECIPE = Source(
    name="recipe-salesforce-accounts",
    about="the recipe with the real tap: accounts, one of them deleted",
    packages=SALESFORCE.packages,
    emit=_emitting("salesforce", "tap_salesforce:main", _SALESFORCE_KEY, "Account", catalog_option="--properties"),
    settings=settings_of_recipe("salesforce-accounts"),
    rows={
        "customers": (
            {
                "company_name": "Mock Orange Apartments",
                "account_type": "company",
                "phone": "(214) 555-0172",
                "status": "current customer",
                "billing_address_1": "12 Sample Street",
                "billing_city": "Dallas",
                "billing_state": "TX",
                "billing_zip_code": "75201",
                "notes": "Gate at the back",
            },
            {"company_name": "Faketon Bakery", "account_type": "company", "status": "lead"},
        ),
    },
)
ZENDESK = Source(
    name="tap-zendesk",
    about="users, tickets, comments: agents, an internal note, a deleted ticket, a stream `tags`",
    packages=("tap-zendesk==2.8.2",),
    emit=_emitting(
        *("zendesk", "tap_zendesk:main", {"access_token": "none", "subdomain": "office"}),
        *("users", "tickets", "ticket_comments", "tags"),
    ),
    settings=settings_of("tickets.yml"),
    rows={
        "customers": (
            {"email": "nadia.sample@example.com", "display_name": "Nadia Sample", "phone": "+12145550151"},
            {"email": "corin.faketon.1@example.org", "display_name": "Corin Faketon"},
        ),
        "jobs": (
            {
                "job_type": "No heat upstairs",
                "customer_id": RowOf("customers", "nadia.sample@example.com"),
                "notes": "Second floor is cold.",
                "due_date": "2026-12-02 16:00:00",
                "tags": ["Rush"],
            },
            {
                "job_type": "Leaking valve",
                "customer_id": RowOf("customers", "corin.faketon.1@example.org"),
                "notes": "Under the sink",
            },
        ),
        "comments": ({"text": "Second floor is cold.", "commentable_id": RowOf("jobs", "No heat upstairs")},),
    },
)
