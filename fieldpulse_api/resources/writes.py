"""What FieldPulse lets one write: a `Write` for each resource that has one, and nothing else.

Field names are the documented ones (D) unless a comment says otherwise. Values are checked only by rules that are
documented or seen: what is merely inferred is the server's to judge, and its refusal rejects the record. Where
nothing is known of what a create needs (contract 7, question 22), what makes its row recognisable is required.
"""

from __future__ import annotations

from collections.abc import Iterator

from .write_model import Call, Field, Group, Kind, Labels, Reference, Write

# V for 1, 4 and 6; the rest documented or inferred (contract 4.4).
JOB_LABELS = Labels(
    "status",
    ((1, "New"), (2, "In Progress"), (3, "Pending"), (4, "Completed"), (5, "Canceled"), (6, "On The Way")),
)
# Inferred from the vendor's export code: one table serves estimates and invoices (contract 4.11).
DOCUMENT_LABELS = Labels(
    "status",
    ((1, "Estimate"), (2, "Draft"), (3, "Invoiced"), (4, "Paid"), (5, "Partially Paid"), (6, "Void")),
)
CUSTOMER_STATUSES = ("lead", "opportunity", "current customer", "lost", "other")


def _all(kind: Kind, names: str, limit: int | None = None) -> Iterator[Field]:
    """Yield a field of one kind for each name."""
    return (Field(name, kind, limit) for name in names.split())


def _to(kind: str, field: str | None = None, **also: str) -> Reference:
    """Return the reference to a row of the stream of `kind`, by its external id."""
    sets = tuple(also.items())
    return Reference(field=field or f"{kind}_id", stream=f"{kind}s", external=f"{kind}_external_id", sets=sets)


def _person(field: str, named: str, element: str | None = None) -> Reference:
    """Return the reference to a user by e-mail."""
    return Reference(field=field, stream="users", named=named, column="email", element=element)


_ASSIGNED = (
    _person("assignments", "assigned_to_email", "user_id"),
    Reference(field="assignments", stream="teams", named="team", column="title", element="team_id"),
)
_VENDOR = Reference(field="vendor_id", stream="vendors", named="vendor", column="name")
_WORKFLOW = Group(field="status_workflow_id", stream="job_status_workflows", members="status_ids", first="is_default")


def _tags(object_type: str | None = None) -> Reference:
    """Return the reference to tags by their titles, of those for an object type where there are such."""
    only = ("type", object_type) if object_type else None
    return Reference(field="tags", stream="tags", named="tags", column="title", many=True, only=only)


CUSTOMERS = Write(
    fields=(
        *_all(Kind.TEXT, "first_name last_name display_name company_name", 255),
        *_all(Kind.EMAIL, "email alt_email secondary_email", 255),
        *_all(Kind.PHONE, "phone secondary_phone", 255),
        *_all(Kind.TEXT, "notes job_notes", 7500),
        Field("status", allowed=CUSTOMER_STATUSES),
        Field("account_type", allowed=("individual", "company")),
        Field("has_different_billing_address", Kind.BOOLEAN),
        *_all(Kind.TEXT, "billing_address_1 billing_address_2", 1000),
        *_all(Kind.TEXT, "billing_city billing_state billing_zip_code", 255),
        *_all(Kind.TEXT, "service_address_1 service_address_2 service_address_city", 255),
        *_all(Kind.TEXT, "service_address_state service_address_zip_code", 255),
        *_all(Kind.INTEGER, "assigned_to pipeline_status_id lead_source_id"),
        *_all(Kind.JSON, "customfields locations tags"),
    ),
    references=(
        _person("assigned_to", "assigned_to_email"),
        Reference(field="pipeline_status_id", stream="pipeline_statuses", named="pipeline_status", column="name"),
        Reference(field="lead_source_id", stream="lead_sources", named="lead_source", column="name"),
        _tags("customer"),
    ),
    any_of=("first_name", "last_name", "display_name"),
    resend=("first_name", "last_name", "display_name"),
    match=(("email",),),
    identity=("email", "phone", "first_name", "last_name", "display_name", "company_name"),
)

CUSTOMER_CONTACTS = Write(
    fields=(
        Field("customer_id", Kind.INTEGER),
        *_all(Kind.TEXT, "first_name last_name", 255),
        Field("email", Kind.EMAIL, limit=255),
        Field("notes", limit=7500),
        Field("phone", Kind.E164),  # documented with a plus
        Field("order", Kind.INTEGER),
    ),
    references=(_to("customer"),),
    required=("customer_id",),
    any_of=("first_name", "last_name", "email", "phone"),
    match=(("customer_id", "email"),),
    identity=("first_name", "last_name", "email", "phone"),
)

LOCATIONS = Write(
    fields=(
        # As the list's filter has them (D), and as rows have them (V).
        Field("object_type", Kind.OBJECT_TYPE, allowed=("customer", "job", "invoice")),
        Field("object_id", Kind.INTEGER),
        *_all(Kind.TEXT, "title address_1 address_2 city state zip_code notes"),
        *_all(Kind.BOOLEAN, "is_main_location is_primary_location"),
        Field("primary_customer_contact_id", Kind.INTEGER),
    ),
    references=(
        _to("customer", "object_id", object_type="customer"),
        _to("job", "object_id", object_type="job"),
        Reference(
            field="primary_customer_contact_id",
            stream="customer_contacts",
            external="primary_customer_contact_external_id",
        ),
    ),
    required=("object_type", "object_id"),
    identity=("object_type", "object_id", "title", "address_1", "city", "zip_code"),
)

JOBS = Write(
    fields=(
        *_all(Kind.TEXT, "job_type subtitle", 150),
        *_all(Kind.INTEGER, "customer_id billing status_id status_workflow_id"),
        Field("status", Kind.INTEGER, allowed=tuple(JOB_LABELS.by_code), labels=JOB_LABELS),
        *_all(Kind.TIME, "start_time end_time due_date"),
        *_all(Kind.TIME, "customer_arrival_window_start_time customer_arrival_window_end_time"),
        *_all(Kind.INTEGER, "location_id customer_contact_id project_id"),
        Field("notes", limit=20000),
        Field("field_notes"),
        *_all(Kind.JSON, "tags assignments customfields"),
    ),
    references=(
        _to("customer"),
        _to("location"),
        _to("customer_contact"),
        _to("project"),
        Reference(
            field="status_id",
            stream="job_statuses",
            named="job_status",
            column="name",
            codes=JOB_LABELS,
            group=_WORKFLOW,
        ),
        *_ASSIGNED,
        _tags("job"),
    ),
    required=("customer_id", "job_type", "billing"),
    resend=("customer_id", "job_type", "billing"),
    defaults=(("billing", 1),),  # 1 in all live data (V); what it means is unknown
    identity=("customer_id", "job_type", "subtitle"),
)

SUBTASKS = Write(
    fields=(
        *_all(Kind.TEXT, "title description"),
        Field("status", Kind.INTEGER),
        Field("due_date", Kind.TIME),
        *_all(Kind.INTEGER, "customer_id job_id project_id recurring_job_id"),
        *_all(Kind.BOOLEAN, "is_template is_required_for_job"),
        Field("assignments", Kind.JSON),
    ),
    references=(
        _to("customer"),
        _to("job"),
        _to("project"),
        Reference(field="recurring_job_id", stream="jobs", external="recurring_job_external_id"),
        *_ASSIGNED,
    ),
    required=("title",),
    identity=("title", "customer_id", "job_id", "project_id", "due_date"),
)

_COMMENTABLE = {"customer": "customer", "job": "job", "project": "project", "subtask": "subtasks", "invoice": "invoice"}

COMMENTS = Write(
    fields=(
        Field("text"),
        Field("commentable_id", Kind.INTEGER),
        # As the list's filter has them, `subtasks` in the plural (D).
        Field("commentable_type", Kind.OBJECT_TYPE, allowed=tuple(_COMMENTABLE.values())),
    ),
    references=tuple(_to(kind, "commentable_id", commentable_type=name) for kind, name in _COMMENTABLE.items()),
    required=("text", "commentable_id", "commentable_type"),
    identity=("text", "commentable_id", "commentable_type"),
)

TIMESHEETS = Write(
    fields=(
        Field("user_id", Kind.INTEGER),
        *_all(Kind.TEXT, "clock_in_title clock_out_title clock_in_method clock_out_method"),
        *_all(Kind.TIME, "clock_in_time clock_out_time"),
        *_all(Kind.TEXT, "clock_in_notes clock_out_notes clock_in_location clock_out_location"),
        *_all(Kind.INTEGER, "job_id subtask_id"),
        Field("type"),
        Field("is_historical", Kind.BOOLEAN),
    ),
    references=(_person("user_id", "user_email"), _to("job"), _to("subtask")),
    required=("user_id", "clock_in_time"),
    identity=("user_id", "clock_in_time", "job_id", "subtask_id"),
)

CUSTOM_FIELDS = Write(
    fields=(
        Field("name"),
        Field("position", Kind.INTEGER),
        Field("permission"),
        *_all(Kind.BOOLEAN, "is_active can_customer_view"),
        Field(
            "object",
            Kind.OBJECT_TYPE,
            allowed=(
                *("customer", "job", "invoice", "item"),
                *("maintenance_agreement", "project", "asset", "material_list"),
            ),
        ),
        Field("field_widget_id", Kind.INTEGER),
        Field("settings", Kind.JSON),
    ),
    required=("name", "object", "field_widget_id"),
    match=(("object", "name"),),
    identity=("object", "name"),
)

_DOCUMENT_FIELDS = (  # the documented body is empty: these are the columns of live rows that one would set (V)
    *_all(Kind.INTEGER, "customer_id job_id project_id contract_id"),
    Field("status", Kind.INTEGER, labels=DOCUMENT_LABELS),
    *_all(Kind.INTEGER, "status_id status_workflow_id"),
    *_all(Kind.TEXT, "title notes"),
    *_all(Kind.TIME, "invoiced_date due_date"),
    *_all(Kind.DECIMAL, "tax_rate discount"),
    *_all(Kind.JSON, "line_items assignments"),
)
_DOCUMENT_REFERENCES = (_to("customer"), _to("job"), _to("project"), *_ASSIGNED)

ESTIMATES = Write(
    fields=_DOCUMENT_FIELDS,
    references=_DOCUMENT_REFERENCES,
    required=("customer_id",),
    identity=("customer_id", "job_id", "project_id", "title"),
)

INVOICES = Write(
    fields=(*_DOCUMENT_FIELDS, Field("customfields", Kind.JSON)),
    references=_DOCUMENT_REFERENCES,
    required=("customer_id",),
    identity=("customer_id", "job_id", "project_id", "title"),
    is_money=True,
    calls=(
        Call(
            name="price_update",
            path="/invoices/{id}/price-update",
            element=Write(
                fields=(Field("id", Kind.INTEGER), Field("line_components", Kind.JSON)),
                required=("id", "line_components"),
            ),
            inside="line_items",
        ),
    ),
)

PAYMENTS = Write(
    fields=(
        Field("invoice_id", Kind.INTEGER),
        Field("payment_date", Kind.TIME),
        Field("amount", Kind.DECIMAL),
        Field("method"),  # the vendor's example has a space behind the name: almost surely a slip
        Field("payment_method_id", Kind.INTEGER),
        *_all(Kind.TEXT, "notes square_transaction_id"),
    ),
    references=(_to("invoice"),),
    required=("invoice_id", "amount"),
    identity=("invoice_id", "amount", "method", "payment_date"),
    is_money=True,
)

ITEMS = Write(
    fields=(
        *_all(Kind.TEXT, "name sku upc type default_description unit_measure"),
        *_all(Kind.BOOLEAN, "default_taxable is_active is_labor_item track_inventory"),
        *_all(Kind.DECIMAL, "default_unit_price default_unit_cost default_quantity tax_rate"),
        *_all(Kind.DECIMAL, "quantity_available auto_reorder_level replenishment_level minimum_order_quantity"),
        *_all(Kind.DECIMAL, "automatic_markup_percentage unit_cost_per_unit_measure unit_price_per_unit_measure"),
        *_all(Kind.DECIMAL, "minimum_dimensional_size maximum_dimensional_size"),
        Field("is_round_up_to_even_dimensional_size", Kind.BOOLEAN),
        Field("is_automatic_replenishment_by_purchase_order_enabled", Kind.BOOLEAN),
        Field("vendor_id", Kind.INTEGER),
        *_all(Kind.TEXT, "vendor_type vendor_name supplier_item_id price_update_method inventory_mode"),
        *_all(Kind.TEXT, "xero_sales_account xero_tax_account qbo_id qbo_sales_tax_code_id qbo_purchase_tax_code_id"),
        *_all(Kind.TEXT, "qbo_income_account_id qbo_expense_account_id qbo_asset_account_id"),
        # `external_id` is the body's name too: it is sent only where the setting external_id_fields says so.
        *_all(Kind.TEXT, "external_type external_sync_status"),
        *_all(Kind.JSON, "inventory_hub_items item_links serialized_inventories item_price_tiers customfields tags"),
    ),
    references=(_VENDOR, _tags()),
    required=("name",),
    identity=("name", "sku", "type"),  # whether lists show `sku` is not known: `match` may name it
    keeps="external_id",
)

_LINKED = ("job", "project", "invoice", "order", "estimate")  # as the list's `by_entity` has them (D)


def _link(name: str, word: str, *more: Field, link: str = "link") -> Call:
    """Return the call that connects a material list with an entity, or parts them."""
    streams = {"order": "purchase_orders"}
    return Call(
        name=name,
        path=f"/material-lists/{{id}}/{name.replace('_', '-')}",
        link=link,
        element=Write(
            fields=(Field(f"{word}_entity", allowed=_LINKED), Field(f"{word}_entity_id", Kind.INTEGER), *more),
            references=tuple(
                Reference(
                    field=f"{word}_entity_id",
                    stream=streams.get(kind, f"{kind}s"),
                    external=f"{kind}_external_id",
                    sets=((f"{word}_entity", kind),),
                )
                for kind in _LINKED
            ),
            required=(f"{word}_entity", f"{word}_entity_id", *(field.name for field in more)),
        ),
    )


MATERIAL_LISTS = Write(
    fields=(  # the documented body is empty: these are the columns that the list is taken to have (I)
        *_all(Kind.TEXT, "title status notes"),
        *_all(Kind.INTEGER, "job_id project_id"),
        *_all(Kind.JSON, "items assignments customfields"),
    ),
    references=(_to("job"), _to("project"), *_ASSIGNED),
    required=("title",),
    identity=("title", "job_id", "project_id"),
    calls=(
        _link("disconnect", "from"),
        _link("connect", "to"),
        _link("item_connect", "to", Field("item_ids", Kind.JSON), link="item_link"),
    ),
)

PURCHASE_ORDERS = Write(
    fields=(
        *_all(Kind.TEXT, "vendor_type vendor_name title status payment_status comment"),
        Field("tax_rate", Kind.DECIMAL),  # the vendor's example has a space behind the name
        *_all(Kind.TIME, "order_at expected_delivery_at received_at"),
        *_all(Kind.INTEGER, "vendor_id customer_id job_id project_id invoice_id assigned_id"),
        Field("order_email", Kind.EMAIL),
        *_all(Kind.TEXT, "delivery_method delivery_address delivery_flat delivery_city delivery_state"),
        *_all(Kind.TEXT, "delivery_postcode delivery_instruction pickup_branch_id order_number"),
        Field("order_phone", Kind.E164),
        Field("items", Kind.JSON),
    ),
    references=(
        _VENDOR,
        _to("customer"),
        _to("job"),
        _to("project"),
        _to("invoice"),
        _person("assigned_id", "assigned_to_email"),
    ),
    any_of=("title", "order_number", "vendor_id", "vendor_name"),
    identity=("title", "order_number", "vendor_id", "vendor_name", "job_id", "project_id"),
)

PROJECTS = Write(
    fields=(
        *_all(Kind.INTEGER, "customer_id status status_id status_workflow_id location_id"),
        *_all(Kind.TEXT, "name description location notes job_notes"),
        *_all(Kind.TIME, "start_time end_time"),
        Field("completion_percentage", Kind.DECIMAL),
        # Columns of other entities with assignments and tags; the documented body of projects lacks them (I).
        *_all(Kind.JSON, "assignments tags customfields"),
    ),
    references=(_to("customer"), _to("location"), *_ASSIGNED, _tags()),
    required=("name",),
    identity=("name", "customer_id"),
)

ASSETS = Write(
    fields=(
        Field("title"),
        Field("status", allowed=("uninstalled", "installed", "retired")),
        *_all(Kind.INTEGER, "customer_id maintenance_agreement_id asset_category_id"),
        *_all(Kind.TEXT, "asset_type tag"),
        Field("is_template", Kind.BOOLEAN),
        Field("location", read_as="location_description"),
        Field("install_date", Kind.DATE),
        *_all(Kind.TEXT, "manufacturer model model_number serial_number model_year model_details"),
        *_all(Kind.DATE, "warranty_expiration labor_warranty_expiration"),
        *_all(Kind.TEXT, "warranty_information labor_warranty_information condition issues notes"),
        *_all(Kind.JSON, "job_ids customfields"),  # values of assets' custom fields: as of other entities (I)
    ),
    references=(
        _to("customer"),
        Reference(field="asset_category_id", stream="asset_categories", named="asset_category", column="title"),
    ),
    required=("title",),
    identity=("title", "customer_id", "serial_number", "tag"),
)

ASSET_CATEGORIES = Write(fields=(Field("title"),), required=("title",), match=(("title",),), identity=("title",))

TAGS = Write(
    fields=(Field("type", allowed=("customer", "job")), Field("title"), Field("color", limit=7)),
    required=("title",),
    match=(("type", "title"),),
    identity=("type", "title"),
)

PIPELINE_STATUSES = Write(
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
        Reference(field="pipeline_status_id", stream="pipeline_statuses", named="pipeline_status", column="name"),
    ),
    required=("pipeline_status_id",),
)
