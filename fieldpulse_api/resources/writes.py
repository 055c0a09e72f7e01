"""What FieldPulse lets one write: a `Write` for each resource that has one, and nothing else.

Field names are the documented ones (D) unless a comment says otherwise. Values are checked only by rules that are
documented or seen: what is merely inferred is the server's to judge, and its refusal rejects the record. Where
nothing is known of what a create needs (contract 7, question 22), what makes its row recognisable is required.
"""

from __future__ import annotations

from collections.abc import Iterator

from .write_model import Action, CodeLabels, Field, FieldType, ParentLookup, Reference, WriteSpec

# V for 1, 4 and 6; the rest documented or inferred (contract 4.4).
JOB_LABELS = CodeLabels(
    "status",
    ((1, "New"), (2, "In Progress"), (3, "Pending"), (4, "Completed"), (5, "Canceled"), (6, "On The Way")),
)
# Inferred from the vendor's export code: one table serves estimates and invoices (contract 4.11).
DOCUMENT_LABELS = CodeLabels(
    "status",
    ((1, "Estimate"), (2, "Draft"), (3, "Invoiced"), (4, "Paid"), (5, "Partially Paid"), (6, "Void")),
)
CUSTOMER_STATUSES = ("lead", "opportunity", "current customer", "lost", "other")


def _all(kind: FieldType, names: str, limit: int | None = None) -> Iterator[Field]:
    """Yield a field of one kind for each name."""
    return (Field(name, kind, limit) for name in names.split())


def _to(kind: str, field: str | None = None, **also: str) -> Reference:
    """Return the reference to a row of the stream of `kind`, by its external id."""
    sets = tuple(also.items())
    return Reference(
        field=field or f"{kind}_id", stream=f"{kind}s", external_id_property=f"{kind}_external_id", also_sets=sets
    )


def _person(field: str, named: str, element: str | None = None) -> Reference:
    """Return the reference to a user by e-mail."""
    return Reference(field=field, stream="users", name_property=named, column="email", list_item_key=element)


_ASSIGNED = (
    _person("assignments", "assigned_to_email", "user_id"),
    Reference(field="assignments", stream="teams", name_property="team", column="title", list_item_key="team_id"),
)
_VENDOR = Reference(field="vendor_id", stream="vendors", name_property="vendor", column="name")
_WORKFLOW = ParentLookup(
    field="status_workflow_id", stream="job_status_workflows", members="status_ids", first="is_default"
)


def _tags(object_type: str | None = None) -> Reference:
    """Return the reference to tags by their titles, of those for an object type where there are such."""
    only = ("type", object_type) if object_type else None
    return Reference(field="tags", stream="tags", name_property="tags", column="title", is_list=True, restrict_to=only)


CUSTOMERS = WriteSpec(
    fields=(
        *_all(FieldType.TEXT, "first_name last_name display_name company_name", 255),
        *_all(FieldType.EMAIL, "email alt_email secondary_email", 255),
        *_all(FieldType.PHONE, "phone secondary_phone", 255),
        *_all(FieldType.TEXT, "notes job_notes", 7500),
        Field("status", allowed_values=CUSTOMER_STATUSES),
        Field("account_type", allowed_values=("individual", "company")),
        Field("has_different_billing_address", FieldType.BOOLEAN),
        *_all(FieldType.TEXT, "billing_address_1 billing_address_2", 1000),
        *_all(FieldType.TEXT, "billing_city billing_state billing_zip_code", 255),
        *_all(FieldType.TEXT, "service_address_1 service_address_2 service_address_city", 255),
        *_all(FieldType.TEXT, "service_address_state service_address_zip_code", 255),
        *_all(FieldType.INTEGER, "assigned_to pipeline_status_id lead_source_id"),
        *_all(FieldType.JSON, "customfields locations tags"),
    ),
    references=(
        _person("assigned_to", "assigned_to_email"),
        Reference(
            field="pipeline_status_id", stream="pipeline_statuses", name_property="pipeline_status", column="name"
        ),
        Reference(field="lead_source_id", stream="lead_sources", name_property="lead_source", column="name"),
        _tags("customer"),
    ),
    require_any_of=("first_name", "last_name", "display_name"),
    always_resend=("first_name", "last_name", "display_name"),
    match_sets=(("email",),),
    fingerprint_fields=("email", "phone", "first_name", "last_name", "display_name", "company_name"),
)

CUSTOMER_CONTACTS = WriteSpec(
    fields=(
        Field("customer_id", FieldType.INTEGER),
        *_all(FieldType.TEXT, "first_name last_name", 255),
        Field("email", FieldType.EMAIL, max_length=255),
        Field("notes", max_length=7500),
        Field("phone", FieldType.E164),  # documented with a plus
        Field("order", FieldType.INTEGER),
    ),
    references=(_to("customer"),),
    required=("customer_id",),
    require_any_of=("first_name", "last_name", "email", "phone"),
    match_sets=(("customer_id", "email"),),
    fingerprint_fields=("first_name", "last_name", "email", "phone"),
)

LOCATIONS = WriteSpec(
    fields=(
        # As the list's filter has them (D), and as rows have them (V).
        Field("object_type", FieldType.OBJECT_TYPE, allowed_values=("customer", "job", "invoice")),
        Field("object_id", FieldType.INTEGER),
        *_all(FieldType.TEXT, "title address_1 address_2 city state zip_code notes"),
        *_all(FieldType.BOOLEAN, "is_main_location is_primary_location"),
        Field("primary_customer_contact_id", FieldType.INTEGER),
    ),
    references=(
        _to("customer", "object_id", object_type="customer"),
        _to("job", "object_id", object_type="job"),
        Reference(
            field="primary_customer_contact_id",
            stream="customer_contacts",
            external_id_property="primary_customer_contact_external_id",
        ),
    ),
    required=("object_type", "object_id"),
    fingerprint_fields=("object_type", "object_id", "title", "address_1", "city", "zip_code"),
)

JOBS = WriteSpec(
    fields=(
        *_all(FieldType.TEXT, "job_type subtitle", 150),
        *_all(FieldType.INTEGER, "customer_id billing status_id status_workflow_id"),
        Field("status", FieldType.INTEGER, allowed_values=tuple(JOB_LABELS.by_code), code_labels=JOB_LABELS),
        *_all(FieldType.TIME, "start_time end_time due_date"),
        *_all(FieldType.TIME, "customer_arrival_window_start_time customer_arrival_window_end_time"),
        *_all(FieldType.INTEGER, "location_id customer_contact_id project_id"),
        Field("notes", max_length=20000),
        Field("field_notes"),
        *_all(FieldType.JSON, "tags assignments customfields"),
    ),
    references=(
        _to("customer"),
        _to("location"),
        _to("customer_contact"),
        _to("project"),
        Reference(
            field="status_id",
            stream="job_statuses",
            name_property="job_status",
            column="name",
            code_labels=JOB_LABELS,
            parent=_WORKFLOW,
        ),
        *_ASSIGNED,
        _tags("job"),
    ),
    required=("customer_id", "job_type", "billing"),
    always_resend=("customer_id", "job_type", "billing"),
    defaults=(("billing", 1),),  # 1 in all live data (V); what it means is unknown
    fingerprint_fields=("customer_id", "job_type", "subtitle"),
)

SUBTASKS = WriteSpec(
    fields=(
        *_all(FieldType.TEXT, "title description"),
        Field("status", FieldType.INTEGER),
        Field("due_date", FieldType.TIME),
        *_all(FieldType.INTEGER, "customer_id job_id project_id recurring_job_id"),
        *_all(FieldType.BOOLEAN, "is_template is_required_for_job"),
        Field("assignments", FieldType.JSON),
    ),
    references=(
        _to("customer"),
        _to("job"),
        _to("project"),
        Reference(field="recurring_job_id", stream="jobs", external_id_property="recurring_job_external_id"),
        *_ASSIGNED,
    ),
    required=("title",),
    fingerprint_fields=("title", "customer_id", "job_id", "project_id", "due_date"),
)

_COMMENTABLE = {"customer": "customer", "job": "job", "project": "project", "subtask": "subtasks", "invoice": "invoice"}

COMMENTS = WriteSpec(
    fields=(
        Field("text"),
        Field("commentable_id", FieldType.INTEGER),
        # As the list's filter has them, `subtasks` in the plural (D).
        Field("commentable_type", FieldType.OBJECT_TYPE, allowed_values=tuple(_COMMENTABLE.values())),
    ),
    references=tuple(_to(kind, "commentable_id", commentable_type=name) for kind, name in _COMMENTABLE.items()),
    required=("text", "commentable_id", "commentable_type"),
    fingerprint_fields=("text", "commentable_id", "commentable_type"),
)

TIMESHEETS = WriteSpec(
    fields=(
        Field("user_id", FieldType.INTEGER),
        *_all(FieldType.TEXT, "clock_in_title clock_out_title clock_in_method clock_out_method"),
        *_all(FieldType.TIME, "clock_in_time clock_out_time"),
        *_all(FieldType.TEXT, "clock_in_notes clock_out_notes clock_in_location clock_out_location"),
        *_all(FieldType.INTEGER, "job_id subtask_id"),
        Field("type"),
        Field("is_historical", FieldType.BOOLEAN),
    ),
    references=(_person("user_id", "user_email"), _to("job"), _to("subtask")),
    required=("user_id", "clock_in_time"),
    fingerprint_fields=("user_id", "clock_in_time", "job_id", "subtask_id"),
)

CUSTOM_FIELDS = WriteSpec(
    fields=(
        Field("name"),
        Field("position", FieldType.INTEGER),
        Field("permission"),
        *_all(FieldType.BOOLEAN, "is_active can_customer_view"),
        Field(
            "object",
            FieldType.OBJECT_TYPE,
            allowed_values=(
                *("customer", "job", "invoice", "item"),
                *("maintenance_agreement", "project", "asset", "material_list"),
            ),
        ),
        Field("field_widget_id", FieldType.INTEGER),
        Field("settings", FieldType.JSON),
    ),
    required=("name", "object", "field_widget_id"),
    match_sets=(("object", "name"),),
    fingerprint_fields=("object", "name"),
)

_DOCUMENT_FIELDS = (  # the documented body is empty: these are the columns of live rows that one would set (V)
    *_all(FieldType.INTEGER, "customer_id job_id project_id contract_id"),
    Field("status", FieldType.INTEGER, code_labels=DOCUMENT_LABELS),
    *_all(FieldType.INTEGER, "status_id status_workflow_id"),
    *_all(FieldType.TEXT, "title notes"),
    *_all(FieldType.TIME, "invoiced_date due_date"),
    *_all(FieldType.DECIMAL, "tax_rate discount"),
    *_all(FieldType.JSON, "line_items assignments"),
)
_DOCUMENT_REFERENCES = (_to("customer"), _to("job"), _to("project"), *_ASSIGNED)

ESTIMATES = WriteSpec(
    fields=_DOCUMENT_FIELDS,
    references=_DOCUMENT_REFERENCES,
    required=("customer_id",),
    fingerprint_fields=("customer_id", "job_id", "project_id", "title"),
)

INVOICES = WriteSpec(
    fields=(*_DOCUMENT_FIELDS, Field("customfields", FieldType.JSON)),
    references=_DOCUMENT_REFERENCES,
    required=("customer_id",),
    fingerprint_fields=("customer_id", "job_id", "project_id", "title"),
    is_money=True,
    actions=(
        Action(
            name="price_update",
            path="/invoices/{id}/price-update",
            item=WriteSpec(
                fields=(Field("id", FieldType.INTEGER), Field("line_components", FieldType.JSON)),
                required=("id", "line_components"),
            ),
            body_key="line_items",
        ),
    ),
)

PAYMENTS = WriteSpec(
    fields=(
        Field("invoice_id", FieldType.INTEGER),
        Field("payment_date", FieldType.TIME),
        Field("amount", FieldType.DECIMAL),
        Field("method"),  # the vendor's example has a space behind the name: almost surely a slip
        Field("payment_method_id", FieldType.INTEGER),
        *_all(FieldType.TEXT, "notes square_transaction_id"),
    ),
    references=(_to("invoice"),),
    required=("invoice_id", "amount"),
    fingerprint_fields=("invoice_id", "amount", "method", "payment_date"),
    is_money=True,
)

ITEMS = WriteSpec(
    fields=(
        *_all(FieldType.TEXT, "name sku upc type default_description unit_measure"),
        *_all(FieldType.BOOLEAN, "default_taxable is_active is_labor_item track_inventory"),
        *_all(FieldType.DECIMAL, "default_unit_price default_unit_cost default_quantity tax_rate"),
        *_all(FieldType.DECIMAL, "quantity_available auto_reorder_level replenishment_level minimum_order_quantity"),
        *_all(FieldType.DECIMAL, "automatic_markup_percentage unit_cost_per_unit_measure unit_price_per_unit_measure"),
        *_all(FieldType.DECIMAL, "minimum_dimensional_size maximum_dimensional_size"),
        Field("is_round_up_to_even_dimensional_size", FieldType.BOOLEAN),
        Field("is_automatic_replenishment_by_purchase_order_enabled", FieldType.BOOLEAN),
        Field("vendor_id", FieldType.INTEGER),
        *_all(FieldType.TEXT, "vendor_type vendor_name supplier_item_id price_update_method inventory_mode"),
        *_all(
            FieldType.TEXT, "xero_sales_account xero_tax_account qbo_id qbo_sales_tax_code_id qbo_purchase_tax_code_id"
        ),
        *_all(FieldType.TEXT, "qbo_income_account_id qbo_expense_account_id qbo_asset_account_id"),
        # `external_id` is the body's name too: it is sent only where the setting external_id_fields says so.
        *_all(FieldType.TEXT, "external_type external_sync_status"),
        *_all(
            FieldType.JSON, "inventory_hub_items item_links serialized_inventories item_price_tiers customfields tags"
        ),
    ),
    references=(_VENDOR, _tags()),
    required=("name",),
    fingerprint_fields=("name", "sku", "type"),  # whether lists show `sku` is not known: `match` may name it
    external_id_column="external_id",
)

_LINKED = ("job", "project", "invoice", "order", "estimate")  # as the list's `by_entity` has them (D)


def _link(name: str, word: str, *more: Field, link: str = "link") -> Action:
    """Return the call that connects a material list with an entity, or parts them."""
    streams = {"order": "purchase_orders"}
    return Action(
        name=name,
        path=f"/material-lists/{{id}}/{name.replace('_', '-')}",
        link=link,
        item=WriteSpec(
            fields=(
                Field(f"{word}_entity", allowed_values=_LINKED),
                Field(f"{word}_entity_id", FieldType.INTEGER),
                *more,
            ),
            references=tuple(
                Reference(
                    field=f"{word}_entity_id",
                    stream=streams.get(kind, f"{kind}s"),
                    external_id_property=f"{kind}_external_id",
                    also_sets=((f"{word}_entity", kind),),
                )
                for kind in _LINKED
            ),
            required=(f"{word}_entity", f"{word}_entity_id", *(field.name for field in more)),
        ),
    )


MATERIAL_LISTS = WriteSpec(
    fields=(  # the documented body is empty: these are the columns that the list is taken to have (I)
        *_all(FieldType.TEXT, "title status notes"),
        *_all(FieldType.INTEGER, "job_id project_id"),
        *_all(FieldType.JSON, "items assignments customfields"),
    ),
    references=(_to("job"), _to("project"), *_ASSIGNED),
    required=("title",),
    fingerprint_fields=("title", "job_id", "project_id"),
    actions=(
        _link("disconnect", "from"),
        _link("connect", "to"),
        _link("item_connect", "to", Field("item_ids", FieldType.JSON), link="item_link"),
    ),
)

PURCHASE_ORDERS = WriteSpec(
    fields=(
        *_all(FieldType.TEXT, "vendor_type vendor_name title status payment_status comment"),
        Field("tax_rate", FieldType.DECIMAL),  # the vendor's example has a space behind the name
        *_all(FieldType.TIME, "order_at expected_delivery_at received_at"),
        *_all(FieldType.INTEGER, "vendor_id customer_id job_id project_id invoice_id assigned_id"),
        Field("order_email", FieldType.EMAIL),
        *_all(FieldType.TEXT, "delivery_method delivery_address delivery_flat delivery_city delivery_state"),
        *_all(FieldType.TEXT, "delivery_postcode delivery_instruction pickup_branch_id order_number"),
        Field("order_phone", FieldType.E164),
        Field("items", FieldType.JSON),
    ),
    references=(
        _VENDOR,
        _to("customer"),
        _to("job"),
        _to("project"),
        _to("invoice"),
        _person("assigned_id", "assigned_to_email"),
    ),
    require_any_of=("title", "order_number", "vendor_id", "vendor_name"),
    fingerprint_fields=("title", "order_number", "vendor_id", "vendor_name", "job_id", "project_id"),
)

PROJECTS = WriteSpec(
    fields=(
        *_all(FieldType.INTEGER, "customer_id status status_id status_workflow_id location_id"),
        *_all(FieldType.TEXT, "name description location notes job_notes"),
        *_all(FieldType.TIME, "start_time end_time"),
        Field("completion_percentage", FieldType.DECIMAL),
        # Columns of other entities with assignments and tags; the documented body of projects lacks them (I).
        *_all(FieldType.JSON, "assignments tags customfields"),
    ),
    references=(_to("customer"), _to("location"), *_ASSIGNED, _tags()),
    required=("name",),
    fingerprint_fields=("name", "customer_id"),
)

ASSETS = WriteSpec(
    fields=(
        Field("title"),
        Field("status", allowed_values=("uninstalled", "installed", "retired")),
        *_all(FieldType.INTEGER, "customer_id maintenance_agreement_id asset_category_id"),
        *_all(FieldType.TEXT, "asset_type tag"),
        Field("is_template", FieldType.BOOLEAN),
        Field("location", row_column="location_description"),
        Field("install_date", FieldType.DATE),
        *_all(FieldType.TEXT, "manufacturer model model_number serial_number model_year model_details"),
        *_all(FieldType.DATE, "warranty_expiration labor_warranty_expiration"),
        *_all(FieldType.TEXT, "warranty_information labor_warranty_information condition issues notes"),
        *_all(FieldType.JSON, "job_ids customfields"),  # values of assets' custom fields: as of other entities (I)
    ),
    references=(
        _to("customer"),
        Reference(field="asset_category_id", stream="asset_categories", name_property="asset_category", column="title"),
    ),
    required=("title",),
    fingerprint_fields=("title", "customer_id", "serial_number", "tag"),
)

ASSET_CATEGORIES = WriteSpec(
    fields=(Field("title"),), required=("title",), match_sets=(("title",),), fingerprint_fields=("title",)
)

TAGS = WriteSpec(
    fields=(Field("type", allowed_values=("customer", "job")), Field("title"), Field("color", max_length=7)),
    required=("title",),
    match_sets=(("type", "title"),),
    fingerprint_fields=("type", "title"),
)

PIPELINE_STATUSES = WriteSpec(
    target_resource="customers",
    row_reference="customer_id",
    fields=(Field("pipeline_status_id", FieldType.INTEGER),),
    references=(
        Reference(
            field="customer_id",
            stream="customers",
            external_id_property="customer_external_id",
            name_property="customer_email",
            column="email",
        ),
        Reference(
            field="pipeline_status_id", stream="pipeline_statuses", name_property="pipeline_status", column="name"
        ),
    ),
    required=("pipeline_status_id",),
)
