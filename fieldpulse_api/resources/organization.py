"""The company: its profile, users, teams and custom field definitions."""

from __future__ import annotations

from .model import LIST_AND_GET, LIST_ONLY, Evidence, Resource, WritableResource
from .shorthand import fields_of
from .write_model import CodeLabels, Field, FieldType, WriteSpec

# 1, 2, 4 and 6 exist in live accounts; the meaning of 6 is unknown (API facts 4.21).
_USER_ROLE_LABELS = CodeLabels(
    "role",
    (
        (1, "Admin"),
        (2, "Manager"),
        (3, "Advanced Service Agent"),
        (4, "Service Agent"),
        (5, "Limited"),
        (6, "Unknown (6)"),
    ),
)

USERS = Resource(
    name="users",
    path="/users",
    title="Users of the account",
    operations=LIST_ONLY,
    updated_column=None,  # `updated_at` moves whenever a user opens the app: nearly all change every day
    supports_page=False,
    excluded_fields=(
        *("api_token", "google_calendar_object", "google_calendar_id", "last_known_location", "members", "managers"),
        *("calls_forwarded_phone_number", "calls_forwarded_phone_number_e164"),
    ),
    flags_property="permissions",
    code_labels=(_USER_ROLE_LABELS,),
    evidence=Evidence.VERIFIED,
    source="the structure of a live list of 377 rows with 169 keys, May 2026",
)

TEAMS = Resource(
    name="teams",
    path="/teams",
    title="Teams, with the ids and names of members and managers",
    operations=LIST_ONLY,
    updated_column=None,
    page_size=5,
    evidence=Evidence.VERIFIED,
    source="a response from 2024",
)

COMPANY_PROFILES = Resource(
    name="company_profiles",
    path="/company-profile",
    item_path="/company-profile/{id}",
    title="Company profile",
    operations=LIST_AND_GET,
    updated_column=None,
    evidence=Evidence.INFERRED,
    source="no response was ever published",
)

CUSTOM_FIELDS = WritableResource(
    name="custom_fields",
    path="/custom-fields",
    item_path="/custom-fields/{id}",
    title="Definitions of custom fields",
    evidence=Evidence.DOCUMENTED,
    source="the documented write body; main keys verified on another host",
    has_office_names=True,
    write_spec=WriteSpec(
        fields=(
            Field("name"),
            Field("position", FieldType.INTEGER),
            Field("permission"),
            *fields_of(FieldType.BOOLEAN, "is_active can_customer_view"),
            Field(
                "object",
                FieldType.OBJECT_TYPE,
                object_types=(
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
    ),
)
