"""Every list of the FieldPulse API, one entry each, and nothing else.

Streams, sinks, sandbox routes, README rows, snapshots and parametrised tests come from here.
Only what is peculiar to a resource is written; the rest are the defaults of `Resource`.
"""

from __future__ import annotations

from . import writes
from .model import ANY_COLUMN, Evidence, Filter, Resource
from .write_model import CodeLabels

V, D, O_, I_ = Evidence.VERIFIED, Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.INFERRED

_METHOD_LABELS = CodeLabels(
    "method",
    (
        ("cash", "Cash"),
        ("check", "Check"),
        ("card", "Card"),
        ("bank_transfer", "Bank transfer"),
        ("other", "Other"),
        ("credit_memo", "Credit memo"),
    ),
)
# V for 1 and 4 (contract 4.21).
_ROLE_LABELS = CodeLabels(
    "role",
    ((1, "Admin"), (2, "Manager"), (3, "Advanced Service Agent"), (4, "Service Agent"), (5, "Limited")),
)


def _range(name: str, column: str, *sent: str) -> tuple[Filter, Filter]:
    """Return the two ends of a range in time, sent as `filter` where no flat names are given."""
    first, last = sent or ("filter", "filter")
    return (
        Filter(name=f"{name}_from", columns=(column,), comparison=">=", query_param=first),
        Filter(name=f"{name}_to", columns=(column,), comparison="<=", query_param=last),
    )


_CUSTOMER_FILTERS = (
    Filter(
        name="pipeline_status",
        columns=("pipeline_status_id",),
        stream="pipeline_statuses",
        name_columns=("name",),
        query_param="filter",
    ),
    Filter(
        name="lead_source",
        columns=("lead_source_id",),
        stream="lead_sources",
        name_columns=("name",),
        query_param="filter",
    ),
    Filter(name="tag", columns=("tags",), stream="tags", name_columns=("title",)),
    Filter(
        name="location",
        columns=(
            *("city", "state", "zip_code", "main_location.id"),
            *(f"main_location.{part}" for part in ("title", "city", "state", "zip_code")),
        ),
    ),
    Filter(
        name="status",
        columns=("status",),
        allowed_values=writes.CUSTOMER_STATUSES,
        query_param="filter",
    ),
)
_JOB_FILTERS = (
    Filter(name="status", columns=("status",), query_param="filter"),
    Filter(
        name="status", columns=("status_id",), stream="job_statuses", name_columns=("name",), query_param="status_id"
    ),
    Filter(
        name="assignee",
        columns=("assignments.user_id",),
        stream="users",
        name_columns=("email", "first_name last_name"),
        query_param="asn[assigned_members]",
    ),
    Filter(
        name="team",
        columns=("assignments.team_id",),
        stream="teams",
        name_columns=("title",),
        query_param="asn[team_id]",
    ),
    *_range("scheduled", "start_time"),
    *_range("created", "created_at", "created_from", "created_to"),
)
_WEBHOOKS = ("Created", "Custom Status Update", "Workflow Custom Status Update")  # D for all, V for one (contract 5)
_DOCUMENT_FILTERS = (Filter(name="status", columns=("status",), query_param="filter"), *_range("date", "invoiced_date"))

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="customers",
        path="/customers",
        item_path="/customers/{id}",
        title="Customers and leads, individuals and companies",
        sort_by=("searchable", "email", "phone", "address_1"),
        custom_field_object="customer",
        filters=_CUSTOMER_FILTERS,
        evidence=V,
        source="complete list and by-id payloads of 2024, main keys confirmed in 2026",
        write_spec=writes.CUSTOMERS,
    ),
    Resource(
        name="customer_contacts",
        path="/customers/{customer_id}/customer-contact",
        item_path="/customers/{customer_id}/customer-contact/{id}",
        title="Contact persons, one list per customer",
        parent="customers",
        updated_column=None,
        evidence=I_,
        source="six body fields are documented; no response was ever published",
        write_spec=writes.CUSTOMER_CONTACTS,
    ),
    Resource(
        name="locations",
        path="/locations",
        item_path="/locations/{id}",
        title="Addresses of customers, jobs and invoices",
        evidence=V,
        source="payloads of 2024; object types of customers and invoices seen in 2026",
        write_spec=writes.LOCATIONS,
    ),
    Resource(
        name="jobs",
        path="/jobs",
        item_path="/jobs/{id}",
        title="Jobs (visits, work orders)",
        sort_by=("created_at", "updated_at"),
        supports_count=False,
        custom_field_object="job",
        with_custom_fields_params=(("with_custom_fields", "true"),),
        code_labels=(writes.JOB_LABELS,),
        filters=_JOB_FILTERS,
        webhook_events=(*_WEBHOOKS, "Start Time Update", "End Time Update"),
        evidence=V,
        source="complete list rows of 2024 and 2026",
        write_spec=writes.JOBS,
    ),
    Resource(
        name="job_status_workflows",
        path="/jobs/status-workflows",
        title="Workflows of job statuses, with their statuses",
        operations="L",
        supports_page=False,
        updated_column=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="job_statuses",
        path="/jobs/status-workflow-statuses",
        title="The account's own job statuses: what jobs.status_id refers to",
        operations="L",
        supports_page=False,
        updated_column=None,
        evidence=V,
        source="payload of 2024",
    ),
    *(
        Resource(
            name=f"{kind}_qb_classes",
            path=f"/{kind}s/qb-classes",
            title=f"QuickBooks classes of {kind}s",
            operations="L",
            updated_column=None,
            supports_sort=False,
            supports_count=False,
            supports_page=False,
            evidence=I_,
            source="only the parameters are documented",
        )
        for kind in ("job", "estimate", "invoice")
    ),
    Resource(
        name="subtasks",
        path="/subtasks",
        item_path="/subtasks/{id}",
        title="Subtasks of jobs, projects and customers",
        sort_by=("due_date", "status", "title"),
        evidence=I_,
        source="the documented body; no sample",
        write_spec=writes.SUBTASKS,
    ),
    Resource(
        name="comments",
        path="/comments",
        item_path="/comments/{id}",
        title="Comments on jobs, customers, projects, subtasks and invoices",
        evidence=V,
        source="11 live rows of 2026",
        write_spec=writes.COMMENTS,
    ),
    Resource(
        name="timesheets",
        path="/timesheets",
        item_path="/timesheets/{id}",
        title="Clock-in and clock-out entries",
        supports_page=False,
        evidence=I_,
        source="the documented body; no sample",
        write_spec=writes.TIMESHEETS,
    ),
    Resource(
        name="custom_fields",
        path="/custom-fields",
        item_path="/custom-fields/{id}",
        title="Definitions of custom fields",
        evidence=D,
        source="the documented body; main keys live on another host",
        write_spec=writes.CUSTOM_FIELDS,
    ),
    Resource(
        name="estimates",
        path="/estimates",
        item_path="/estimates/{id}",
        title="Estimates, with line items",
        sort_by=(ANY_COLUMN,),
        code_labels=(writes.DOCUMENT_LABELS,),
        filters=_DOCUMENT_FILTERS,
        webhook_events=_WEBHOOKS,
        evidence=V,
        source="live rows of 2026; presentation flags by name only",
        write_spec=writes.ESTIMATES,
    ),
    Resource(
        name="invoices",
        path="/invoices",
        item_path="/invoices/{id}",
        title="Invoices, with line items and payments",
        sort_by=(ANY_COLUMN,),
        custom_field_object="invoice",
        code_labels=(writes.DOCUMENT_LABELS,),
        filters=_DOCUMENT_FILTERS,
        webhook_events=_WEBHOOKS,
        evidence=V,
        source="live rows of 2026; presentation flags by name only",
        write_spec=writes.INVOICES,
    ),
    Resource(
        name="payments",
        path="/payments",
        item_path="/payments/{id}",
        title="Payments of invoices",
        sort_by=("cuid", "method", "amount", "payment_date"),
        code_labels=(_METHOD_LABELS,),
        filters=(Filter(name="status", columns=("status",), query_param="filter"), *_range("date", "payment_date")),
        evidence=V,
        source="2,364 live rows of 2026 for the main keys",
        write_spec=writes.PAYMENTS,
    ),
    Resource(
        name="items",
        path="/items",
        item_path="/items/{id}",
        title="Items and services of the price book, with stock",
        operations="LGCU",
        custom_field_object="item",
        evidence=V,
        source="17,536 live rows of 2026 for the main keys, the rest from the documented body",
        write_spec=writes.ITEMS,
    ),
    Resource(
        name="material_lists",
        path="/material-lists",
        item_path="/material-list/{id}",
        create_path="/material-list",
        title="Lists of materials for jobs and projects",
        custom_field_object="material_list",
        with_custom_fields_params=(("withCustomfieldsAndRelatedData", "true"),),
        evidence=I_,
        source="no sample, and the documented body is empty",
        write_spec=writes.MATERIAL_LISTS,
    ),
    Resource(
        name="purchase_orders",
        path="/purchase-orders",
        item_path="/purchase-orders/{id}",
        title="Purchase orders, with their items",
        evidence=D,
        source="the documented body; id and timestamps observed",
        write_spec=writes.PURCHASE_ORDERS,
    ),
    Resource(
        name="projects",
        path="/projects",
        item_path="/projects/{id}",
        title="Projects: several jobs for one customer",
        sort_by=("cuid", "name", "status_id", "completion_percentage"),
        custom_field_object="project",
        evidence=I_,
        source="the documented body; no sample",
        write_spec=writes.PROJECTS,
    ),
    Resource(
        name="contracts",
        path="/contracts",
        item_path="/contracts/{id}",
        title="Contract texts for estimates and invoices",
        operations="LG",
        supports_page=False,
        updated_column=None,
        evidence=I_,
        source="no sample; invoices refer to it",
    ),
    Resource(
        name="assets",
        path="/assets",
        item_path="/assets/{id}",
        title="Equipment at customers' sites",
        custom_field_object="asset",
        evidence=V,
        source="4 live rows of 2026 for the main keys, the rest from the documented body",
        write_spec=writes.ASSETS,
    ),
    Resource(
        name="asset_categories",
        path="/assets-category",
        item_path="/assets-category/{id}",
        title="Categories of assets",
        evidence=I_,
        source="the title is documented, the rest is convention",
        write_spec=writes.ASSET_CATEGORIES,
    ),
    Resource(
        name="vendors",
        path="/vendors",
        item_path="/vendors/{id}",
        title="Vendors of materials",
        operations="LG",
        supports_page=False,
        updated_column=None,
        evidence=O_,
        source="id and timestamps observed; the name from vendor code",
    ),
    Resource(
        name="teams",
        path="/teams",
        title="Teams, with the ids and names of members and managers",
        operations="L",
        updated_column=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="users",
        path="/users",
        title="Users of the account",
        operations="L",
        updated_column=None,
        supports_page=False,
        excluded_fields=("last_known_location",),
        code_labels=(_ROLE_LABELS,),
        evidence=V,
        source="eight keys in 2024, company_id and the position added by 2026; no timestamps",
    ),
    Resource(
        name="tags",
        path="/tags",
        item_path="/tags/{id}",
        title="Tags of customers and jobs",
        evidence=V,
        source="a dump of 2021",
        write_spec=writes.TAGS,
    ),
    Resource(
        name="lead_sources",
        path="/lead-source",
        title="Where leads come from",
        operations="L",
        updated_column=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="pipeline_statuses",
        path="/pipeline-status",
        title="Stages of the sales pipeline; written, it moves a customer to a stage",
        operations="L",
        updated_column=None,
        evidence=I_,
        source="no sample; customers refer to it",
        write_spec=writes.PIPELINE_STATUSES,
    ),
    Resource(
        name="company_profiles",
        path="/company-profile",
        item_path="/company-profile/{id}",
        title="The company itself",
        operations="LG",
        updated_column=None,
        evidence=I_,
        source="no sample",
    ),
)

BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}
WRITABLE: tuple[str, ...] = tuple(resource.name for resource in RESOURCES if resource.write_spec)
