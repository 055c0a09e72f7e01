"""Every list of the FieldPulse API, one entry each, and nothing else.

Streams, sinks, sandbox routes, README rows, snapshots and parametrised tests come from here.
Only what is peculiar to a resource is written; the rest are the defaults of `Resource`.
"""

from __future__ import annotations

from .resource import ANY_COLUMN, Evidence, Field, Filter, Kind, Labels, Reference, Resource, Write

V, D, O_, I_ = Evidence.VERIFIED, Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.INFERRED

_CUSTOMER_FIELDS = (
    *(Field(name, limit=255) for name in ("first_name", "last_name", "display_name", "company_name")),
    *(Field(name, Kind.EMAIL, limit=255) for name in ("email", "alt_email", "secondary_email")),
    *(Field(name, limit=255) for name in ("phone", "secondary_phone")),
    Field("notes", limit=7500),
    Field("job_notes", limit=7500),
    Field("status", allowed=("lead", "opportunity", "current customer", "lost", "other")),
    Field("account_type", allowed=("individual", "company")),
    Field("has_different_billing_address", Kind.BOOLEAN),
    *(Field(name, limit=1000) for name in ("billing_address_1", "billing_address_2")),
    *(Field(name, limit=255) for name in ("billing_city", "billing_state", "billing_zip_code")),
    *(Field(name, limit=255) for name in ("service_address_1", "service_address_2", "service_address_city")),
    *(Field(name, limit=255) for name in ("service_address_state", "service_address_zip_code")),
    *(Field(name, Kind.INTEGER) for name in ("assigned_to", "pipeline_status_id", "lead_source_id")),
    *(Field(name, Kind.JSON) for name in ("customfields", "locations", "tags")),
)

_JOB_FIELDS = (
    Field("job_type", limit=150),
    Field("subtitle", limit=150),
    *(Field(name, Kind.INTEGER) for name in ("customer_id", "billing", "status_id", "status_workflow_id")),
    Field("status", Kind.INTEGER, allowed=(1, 2, 3, 4, 5, 6)),
    *(Field(name, Kind.TIME) for name in ("start_time", "end_time", "due_date")),
    *(Field(f"customer_arrival_window_{end}_time", Kind.TIME) for end in ("start", "end")),
    *(Field(name, Kind.INTEGER) for name in ("location_id", "customer_contact_id", "project_id")),
    Field("notes", limit=20000),
    Field("field_notes"),
    *(Field(name, Kind.JSON) for name in ("tags", "assignments", "customfields")),
)

# V for 1, 4 and 6; the rest documented or inferred (contract 4.4).
_JOB_LABELS = Labels(
    "status",
    ((1, "New"), (2, "In Progress"), (3, "Pending"), (4, "Completed"), (5, "Canceled"), (6, "On The Way")),
)
# Inferred from the vendor's export code: one table serves estimates and invoices (contract 4.11).
_DOCUMENT_LABELS = Labels(
    "status",
    ((1, "Estimate"), (2, "Draft"), (3, "Invoiced"), (4, "Paid"), (5, "Partially Paid"), (6, "Void")),
)
_METHOD_LABELS = Labels(
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
_ROLE_LABELS = Labels(
    "role",
    ((1, "Admin"), (2, "Manager"), (3, "Advanced Service Agent"), (4, "Service Agent"), (5, "Limited")),
)


def _range(name: str, column: str, *sent: str) -> tuple[Filter, Filter]:
    """Return the two ends of a range in time, sent as `filter` where no flat names are given."""
    first, last = sent or ("filter", "filter")
    return (
        Filter(name=f"{name}_from", columns=(column,), bound=">=", sent=first),
        Filter(name=f"{name}_to", columns=(column,), bound="<=", sent=last),
    )


_CUSTOMER_FILTERS = (
    Filter(
        name="pipeline_status",
        columns=("pipeline_status_id",),
        stream="pipeline_statuses",
        named=("name",),
        sent="filter",
    ),
    Filter(name="lead_source", columns=("lead_source_id",), stream="lead_sources", named=("name",), sent="filter"),
    Filter(name="tag", columns=("tags",), stream="tags", named=("title",)),
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
        allowed=("lead", "opportunity", "current customer", "lost", "other"),
        sent="filter",
    ),
)
_JOB_FILTERS = (
    Filter(name="status", columns=("status",), sent="filter"),
    Filter(name="status", columns=("status_id",), stream="job_statuses", named=("name",), sent="status_id"),
    Filter(
        name="assignee",
        columns=("assignments.user_id",),
        stream="users",
        named=("email", "first_name last_name"),
        sent="asn[assigned_members]",
    ),
    Filter(name="team", columns=("assignments.team_id",), stream="teams", named=("title",), sent="asn[team_id]"),
    *_range("scheduled", "start_time"),
    *_range("created", "created_at", "created_from", "created_to"),
)
_DOCUMENT_FILTERS = (Filter(name="status", columns=("status",), sent="filter"), *_range("date", "invoiced_date"))

_TO_CUSTOMER = Reference(field="customer_id", stream="customers", external="customer_external_id")

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="customers",
        path="/customers",
        item_path="/customers/{id}",
        title="Customers and leads, individuals and companies",
        sort_by=("searchable", "email", "phone", "address_1"),
        custom="customer",
        filters=_CUSTOMER_FILTERS,
        evidence=V,
        source="complete list and by-id payloads of 2024, main keys confirmed in 2026",
        write=Write(
            fields=_CUSTOMER_FIELDS,
            any_of=("first_name", "last_name", "display_name"),
            resend=("first_name", "last_name", "display_name"),
            match="email",
            identity=("email", "phone", "first_name", "last_name", "display_name", "company_name"),
        ),
    ),
    Resource(
        name="customer_contacts",
        path="/customers/{customer_id}/customer-contact",
        item_path="/customers/{customer_id}/customer-contact/{id}",
        title="Contact persons, one list per customer",
        parent="customers",
        updated=None,
        evidence=I_,
        source="six body fields are documented; no response was ever published",
    ),
    Resource(
        name="locations",
        path="/locations",
        item_path="/locations/{id}",
        title="Addresses of customers, jobs and invoices",
        evidence=V,
        source="payloads of 2024; object types of customers and invoices seen in 2026",
    ),
    Resource(
        name="jobs",
        path="/jobs",
        item_path="/jobs/{id}",
        title="Jobs (visits, work orders)",
        sort_by=("created_at", "updated_at"),
        counts=False,
        custom="job",
        ask_values=(("with_custom_fields", "true"),),
        labels=(_JOB_LABELS,),
        filters=_JOB_FILTERS,
        evidence=V,
        source="complete list rows of 2024 and 2026",
        write=Write(
            fields=_JOB_FIELDS,
            references=(_TO_CUSTOMER,),
            required=("customer_id", "job_type", "billing"),
            resend=("customer_id", "job_type", "billing"),
            defaults=(("billing", 1),),  # 1 in all live data (V); what it means is unknown
            identity=("customer_id", "job_type", "subtitle"),
        ),
    ),
    Resource(
        name="job_status_workflows",
        path="/jobs/status-workflows",
        title="Workflows of job statuses, with their statuses",
        operations="L",
        paged=False,
        updated=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="job_statuses",
        path="/jobs/status-workflow-statuses",
        title="The account's own job statuses: what jobs.status_id refers to",
        operations="L",
        paged=False,
        updated=None,
        evidence=V,
        source="payload of 2024",
    ),
    *(
        Resource(
            name=f"{kind}_qb_classes",
            path=f"/{kind}s/qb-classes",
            title=f"QuickBooks classes of {kind}s",
            operations="L",
            updated=None,
            sorts=False,
            counts=False,
            paged=False,
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
    ),
    Resource(
        name="comments",
        path="/comments",
        item_path="/comments/{id}",
        title="Comments on jobs, customers, projects, subtasks and invoices",
        evidence=V,
        source="11 live rows of 2026",
    ),
    Resource(
        name="timesheets",
        path="/timesheets",
        item_path="/timesheets/{id}",
        title="Clock-in and clock-out entries",
        paged=False,
        evidence=I_,
        source="the documented body; no sample",
    ),
    Resource(
        name="custom_fields",
        path="/custom-fields",
        item_path="/custom-fields/{id}",
        title="Definitions of custom fields",
        evidence=D,
        source="the documented body; main keys live on another host",
    ),
    Resource(
        name="estimates",
        path="/estimates",
        item_path="/estimates/{id}",
        title="Estimates, with line items",
        sort_by=(ANY_COLUMN,),
        labels=(_DOCUMENT_LABELS,),
        filters=_DOCUMENT_FILTERS,
        evidence=V,
        source="live rows of 2026; presentation flags by name only",
    ),
    Resource(
        name="invoices",
        path="/invoices",
        item_path="/invoices/{id}",
        title="Invoices, with line items and payments",
        sort_by=(ANY_COLUMN,),
        custom="invoice",
        labels=(_DOCUMENT_LABELS,),
        filters=_DOCUMENT_FILTERS,
        evidence=V,
        source="live rows of 2026; presentation flags by name only",
    ),
    Resource(
        name="payments",
        path="/payments",
        item_path="/payments/{id}",
        title="Payments of invoices",
        sort_by=("cuid", "method", "amount", "payment_date"),
        labels=(_METHOD_LABELS,),
        filters=(Filter(name="status", columns=("status",), sent="filter"), *_range("date", "payment_date")),
        evidence=V,
        source="2,364 live rows of 2026 for the main keys",
    ),
    Resource(
        name="items",
        path="/items",
        item_path="/items/{id}",
        title="Items and services of the price book, with stock",
        operations="LGCU",
        custom="item",
        evidence=V,
        source="17,536 live rows of 2026 for the main keys, the rest from the documented body",
    ),
    Resource(
        name="material_lists",
        path="/material-lists",
        item_path="/material-list/{id}",
        create_path="/material-list",
        title="Lists of materials for jobs and projects",
        custom="material_list",
        ask_values=(("withCustomfieldsAndRelatedData", "true"),),
        evidence=I_,
        source="no sample, and the documented body is empty",
    ),
    Resource(
        name="purchase_orders",
        path="/purchase-orders",
        item_path="/purchase-orders/{id}",
        title="Purchase orders, with their items",
        evidence=D,
        source="the documented body; id and timestamps observed",
    ),
    Resource(
        name="projects",
        path="/projects",
        item_path="/projects/{id}",
        title="Projects: several jobs for one customer",
        sort_by=("cuid", "name", "status_id", "completion_percentage"),
        custom="project",
        evidence=I_,
        source="the documented body; no sample",
    ),
    Resource(
        name="contracts",
        path="/contracts",
        item_path="/contracts/{id}",
        title="Contract texts for estimates and invoices",
        operations="LG",
        paged=False,
        updated=None,
        evidence=I_,
        source="no sample; invoices refer to it",
    ),
    Resource(
        name="assets",
        path="/assets",
        item_path="/assets/{id}",
        title="Equipment at customers' sites",
        custom="asset",
        evidence=V,
        source="4 live rows of 2026 for the main keys, the rest from the documented body",
    ),
    Resource(
        name="asset_categories",
        path="/assets-category",
        item_path="/assets-category/{id}",
        title="Categories of assets",
        evidence=I_,
        source="the title is documented, the rest is convention",
    ),
    Resource(
        name="vendors",
        path="/vendors",
        item_path="/vendors/{id}",
        title="Vendors of materials",
        operations="LG",
        paged=False,
        updated=None,
        evidence=O_,
        source="id and timestamps observed; the name from vendor code",
    ),
    Resource(
        name="teams",
        path="/teams",
        title="Teams, with the ids and names of members and managers",
        operations="L",
        updated=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="users",
        path="/users",
        title="Users of the account",
        operations="L",
        updated=None,
        paged=False,
        never=("last_known_location",),
        labels=(_ROLE_LABELS,),
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
    ),
    Resource(
        name="lead_sources",
        path="/lead-source",
        title="Where leads come from",
        operations="L",
        updated=None,
        evidence=V,
        source="payload of 2024",
    ),
    Resource(
        name="pipeline_statuses",
        path="/pipeline-status",
        title="Stages of the sales pipeline; written, it moves a customer to a stage",
        operations="L",
        updated=None,
        evidence=I_,
        source="no sample; customers refer to it",
        write=Write(
            into="customers",
            row="customer_id",
            fields=(Field("pipeline_status_id", Kind.INTEGER),),
            references=(
                Reference(
                    field="customer_id",
                    stream="customers",
                    external="customer_external_id",
                    named="customer_email",
                    column="email",
                ),
                Reference(
                    field="pipeline_status_id",
                    stream="pipeline_statuses",
                    named="pipeline_status",
                    column="name",
                ),
            ),
            required=("pipeline_status_id",),
        ),
    ),
    Resource(
        name="company_profiles",
        path="/company-profile",
        item_path="/company-profile/{id}",
        title="The company itself",
        operations="LG",
        updated=None,
        evidence=I_,
        source="no sample",
    ),
)

BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}
WRITABLE: tuple[str, ...] = tuple(resource.name for resource in RESOURCES if resource.write)
