"""Customers, their contacts and locations, and the lists that classify them."""

from __future__ import annotations

from .model import LIST_ONLY, Evidence, Filter, Resource, WritableResource
from .shorthand import PURCHASE_ORDER_TYPE, derived_from, fields_of, row_of, tags_by_title, user_by_email
from .write_model import Field, FieldType, Reference, WriteSpec

CUSTOMER_STATUSES = ("lead", "opportunity", "current customer", "lost", "other", "inactive")

# The label of a stage is `status` on the vendor's own host, and `name` in no response that was seen (API facts 4.24).
_PIPELINE_STATUS = Reference(
    field="pipeline_status_id",
    stream="pipeline_statuses",
    name_property="pipeline_status",
    column="name",
    alternative_column="status",
)

CUSTOMERS = WritableResource(
    name="customers",
    path="/customers",
    item_path="/customers/{id}",
    title="Customers and leads, individuals and companies",
    sort_by=("searchable", "email", "phone", "address_1"),
    custom_field_object="customer",
    filters=(
        Filter(
            name="pipeline_status",
            columns=("pipeline_status_id",),
            stream="pipeline_statuses",
            name_columns=("name", "status"),
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
            allowed_values=CUSTOMER_STATUSES,
            query_param="filter",
        ),
    ),
    derived_columns=(
        *derived_from("phone", "phone_e164 searchable_number has_valid_phone phone_validation_message"),
        *derived_from("first_name last_name display_name company_name", "searchable sort_key"),
        *derived_from("pipeline_status_id", "pipeline_status_updated_at"),
    ),
    evidence=Evidence.VERIFIED,
    source="complete list and single rows from 2024; main keys confirmed in 2026",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.TEXT, "first_name last_name display_name company_name", 255),
            *fields_of(FieldType.EMAIL, "email alt_email secondary_email", 255),
            *fields_of(FieldType.PHONE, "phone secondary_phone", 255),
            *fields_of(FieldType.TEXT, "notes job_notes", 7500),
            Field("status", allowed_values=CUSTOMER_STATUSES),
            Field("account_type"),
            Field("has_different_billing_address", FieldType.BOOLEAN),
            *fields_of(FieldType.TEXT, "billing_address_1 billing_address_2", 1000),
            *fields_of(FieldType.TEXT, "billing_city billing_state billing_zip_code", 255),
            *fields_of(FieldType.TEXT, "service_address_1 service_address_2 service_address_city", 255),
            *fields_of(FieldType.TEXT, "service_address_state service_address_zip_code", 255),
            *fields_of(FieldType.INTEGER, "assigned_to pipeline_status_id lead_source_id"),
            *fields_of(FieldType.JSON, "customfields locations tags"),
        ),
        references=(
            user_by_email("assigned_to", "assigned_to_email"),
            _PIPELINE_STATUS,
            Reference(field="lead_source_id", stream="lead_sources", name_property="lead_source", column="name"),
            tags_by_title("customer"),
        ),
        require_any_of=("first_name", "last_name", "display_name", "company_name"),
        always_resend=("first_name", "last_name", "display_name"),
        match_sets=(("email",),),
        fingerprint_fields=("email", "phone", "first_name", "last_name", "display_name", "company_name"),
    ),
)

CUSTOMER_CONTACTS = WritableResource(
    name="customer_contacts",
    path="/customers/{customer_id}/customer-contact",
    item_path="/customers/{customer_id}/customer-contact/{id}",
    title="Contact persons, one list per customer",
    parent="customers",
    updated_column=None,
    evidence=Evidence.INFERRED,
    source="six documented body fields; no response was ever published",
    write_spec=WriteSpec(
        fields=(
            Field("customer_id", FieldType.INTEGER),
            *fields_of(FieldType.TEXT, "first_name last_name", 255),
            Field("email", FieldType.EMAIL, max_length=255),
            Field("notes", max_length=7500),
            Field("phone", FieldType.E164),  # documented with a plus
            Field("order", FieldType.INTEGER),
        ),
        references=(row_of("customer"),),
        required=("customer_id",),
        require_any_of=("first_name", "last_name", "email", "phone"),
        match_sets=(("customer_id", "email"),),
        fingerprint_fields=("first_name", "last_name", "email", "phone"),
    ),
)

LOCATIONS = WritableResource(
    name="locations",
    path="/locations",
    item_path="/locations/{id}",
    title="Addresses of customers, jobs and invoices",
    evidence=Evidence.VERIFIED,
    source="responses from 2024; object types of customers and invoices observed in 2026",
    write_spec=WriteSpec(
        fields=(
            # The values of the list's filter (documented) and of rows (verified).
            Field(
                "object_type", FieldType.OBJECT_TYPE, object_types=("customer", "job", "invoice", PURCHASE_ORDER_TYPE)
            ),
            Field("object_id", FieldType.INTEGER),
            *fields_of(FieldType.TEXT, "title address_1 address_2 city state zip_code notes"),
            *fields_of(FieldType.BOOLEAN, "is_main_location is_primary_location"),
            Field("primary_customer_contact_id", FieldType.INTEGER),
        ),
        references=(
            row_of("customer", "object_id", object_type="customer"),
            row_of("job", "object_id", object_type="job"),
            Reference(
                field="primary_customer_contact_id",
                stream="customer_contacts",
                external_id_property="primary_customer_contact_external_id",
            ),
        ),
        required=("object_type", "object_id"),
        fingerprint_fields=("object_type", "object_id", "title", "address_1", "city", "zip_code"),
    ),
)

TAGS = WritableResource(
    name="tags",
    path="/tags",
    item_path="/tags/{id}",
    title="Tags of customers and jobs",
    evidence=Evidence.VERIFIED,
    source="an export from 2021",
    has_office_names=True,
    write_spec=WriteSpec(
        fields=(Field("type"), Field("title"), Field("color", max_length=7)),
        required=("title",),
        match_sets=(("type", "title"),),
        fingerprint_fields=("type", "title"),
    ),
)

LEAD_SOURCES = Resource(
    name="lead_sources",
    path="/lead-source",
    title="Lead sources",
    operations=LIST_ONLY,
    updated_column=None,
    evidence=Evidence.VERIFIED,
    source="a response from 2024",
    has_office_names=True,
)

PIPELINE_STATUSES = WritableResource(
    name="pipeline_statuses",
    path="/pipeline-status",
    title="Stages of the sales pipeline; a record written to this stream moves a customer to a stage",
    operations=LIST_ONLY,
    updated_column=None,
    evidence=Evidence.INFERRED,
    source="customers refer to it; no response was ever published",
    has_office_names=True,
    write_spec=WriteSpec(
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
            _PIPELINE_STATUS,
        ),
        required=("pipeline_status_id",),
    ),
)
