"""The catalogue: every list of the FieldPulse API, in the order in which users see the streams.

Streams, sinks, sandbox routes, docs, snapshots and parametrised tests are derived from it. The entries are in one
module for each business domain. An entry states only what differs from the defaults of `Resource`.

The names of body fields are documented unless a comment says otherwise. Values are checked only by rules that are
documented or verified; the server validates the rest. Where the required fields of a create are unknown (API facts 7,
question 22), an entry requires the fields that identify the created row.
"""

from __future__ import annotations

from . import billing, customers, inventory, jobs, organization
from .model import Resource, WritableResource

RESOURCES: tuple[Resource, ...] = (
    customers.CUSTOMERS,
    customers.CUSTOMER_CONTACTS,
    customers.LOCATIONS,
    jobs.JOBS,
    jobs.JOB_STATUS_WORKFLOWS,
    jobs.JOB_STATUSES,
    billing.JOB_QB_CLASSES,
    billing.ESTIMATE_QB_CLASSES,
    billing.INVOICE_QB_CLASSES,
    jobs.SUBTASKS,
    jobs.COMMENTS,
    jobs.TIMESHEETS,
    organization.CUSTOM_FIELDS,
    billing.ESTIMATES,
    billing.INVOICES,
    billing.PAYMENTS,
    inventory.ITEMS,
    inventory.MATERIAL_LISTS,
    inventory.PURCHASE_ORDERS,
    jobs.PROJECTS,
    billing.CONTRACTS,
    inventory.ASSETS,
    inventory.ASSET_CATEGORIES,
    inventory.VENDORS,
    organization.TEAMS,
    organization.USERS,
    customers.TAGS,
    customers.LEAD_SOURCES,
    customers.PIPELINE_STATUSES,
    organization.COMPANY_PROFILES,
)
BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}
WRITABLE: dict[str, WritableResource] = {
    resource.name: resource for resource in RESOURCES if isinstance(resource, WritableResource)
}
