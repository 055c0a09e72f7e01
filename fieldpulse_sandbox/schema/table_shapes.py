"""The columns of each resource, with the value that each has when it was never set."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
COMPANY_ID = 200001
BASE_CLASS = "App\\Http\\Api\\Core\\Models\\Base"
"""Class name of a model in polymorphic type columns, without the name of the model (verified)."""


def nulls(names: str) -> Row:
    """Return the named columns, unset."""
    return dict.fromkeys(names.split())


def on(names: str) -> Row:
    """Return the named columns, all true."""
    return dict.fromkeys(names.split(), True)


def off(names: str) -> Row:
    """Return the named columns, all false."""
    return dict.fromkeys(names.split(), False)


STAMPS = nulls("created_at updated_at deleted_at")
OWNED = {"id": 0, "company_id": COMPANY_ID} | STAMPS
AUTHORED = OWNED | nulls("author_id cuid")

ASSET_DISPLAY = on(
    "is_asset_company_header_visible is_asset_customer_header_visible is_asset_summary_visible is_asset_notes_visible"
    " is_asset_details_visible is_asset_warranty_information_visible is_asset_conditional_visible"
    " is_asset_updates_files_visible is_asset_files_visible is_asset_custom_fields_visible",
) | {
    "asset_file_size": "large",
    "asset_update_entity_mode": "all",
    "asset_update_file_size": "large",
    "email_body_message": "",
}
JOB_DISPLAY = on(
    "is_job_company_header_visible is_job_customer_header_visible is_job_summary_visible is_job_notes_visible"
    " is_job_custom_fields_visible is_job_field_notes_visible is_job_details_visible is_job_subtasks_visible"
    " is_job_visits_visible is_job_files_visible is_folder_section_visible is_job_date_visible is_job_time_visible",
) | {"job_file_size": "large", "is_job_location_title_visible": False}

CUSTOMER_TEXTS = (
    "notes address_1 address_2 company_name alt_email alt_phone billing_address_1 billing_address_2 billing_city"
    " billing_state fax skype billing_zip_code secondary_first_name secondary_last_name secondary_email secondary_phone"
    " dial_phone mobile_phone website job_notes next_steps billing_address_3 billing_address_4 billing_address_5"
)
"""Columns that the web form saves as '', while other clients leave them null (verified)."""

NOT_A_NUMBER: Row = {
    "phone_e164": None,
    "searchable_number": None,
    "has_valid_phone": False,
    "phone_validation_message": "The phone number is not valid.",
}
"""Columns of a customer whose phone number cannot be dialled (verified; the text is invented)."""

_CUSTOMER = {
    **OWNED,
    **nulls(CUSTOMER_TEXTS),
    **nulls(
        "mongo_id cuid uuid first_name middle_name last_name display_name title suffix use_company_name"
        " alt_first_name alt_last_name secondar_last_name email phone phone_e164 alt_phone_e164 secondary_phone_e164"
        " has_valid_phone phone_validation_message searchable_number address1 city state zip_code postal_code"
        " different_billing_address service_address_1 service_address_2 service_address_city service_address_state"
        " service_address_zip_code status account_type assigned_to lead_source lead_source_id pipeline_status_id"
        " pipeline_status_updated_at notes_old source parent_id parent_id_previous merged_customer_id price_tier_id"
        " booking_portal_consent qbo_tax_exempt_reason qbo_id qbo_sync_token last_qbo_sync dev_qbo qbd_id"
        " qbd_edit_sequence qbd_fullname xero_id xero_guid xero_group_id xero_updated_date_utc is_sync sync_status"
        " sync_version next_sync_allowed_at default_invoice_due_date default_estimate_expiration_date"
        " servicerocketpro_id service_titan_id mailchimp_contact_id nicejob_id marketing360_id import_id searchable"
        " sort_key search_text main_location"
    ),
    **off(
        "has_different_billing_address is_tax_exempt qbo_is_project qbd_addr_company_name qbd_addr_first_last_name"
        " is_created_outside_franchise_category has_available_forms",
    ),
    **on("is_phone_notification_subscribed is_email_notification_subscribed"),
    "country_code": "US",
    "country_phone_code": "US",
    "asset_display_settings": ASSET_DISPLAY,
    "job_display_settings": JOB_DISPLAY,
    "tags": [],
    "customfields": [],
}
_JOB = {
    **AUTHORED,
    **nulls(
        "mongo_id customer_id job_type subtitle status_id status_workflow_id start_time end_time due_date"
        " customer_arrival_window_start_time customer_arrival_window_end_time completed_at invoice_status notes"
        " field_notes location_old location_coords location_id customer_contact_id tags_string project_id"
        " recurring_parent_id upcoming_job_notified detached_from_recurring_parent maintenance_agreement_id"
        " maintenance_occurrence_id uuid hazardco_swms_id service_titan_id service_titan_location_id task_category_id"
        " template_id import_id nicejob_id source booking_portal_booked_service_id zyra_call_id temp_location_id"
        " xero_default_account_id qb_time_class_id qbd_class_id should_send_nicejob_review map schedule_details"
    ),
    **off("is_template is_multiday_job has_available_forms"),
    "status": 1,
    "billing": 1,
    "type": "job",
    "is_visible": True,
    "assignment_count": 0,
    "in_progress_status_log": 0,
    "on_the_way_status_log": 0,
    "franchise_location_status": 1,
    "status_based_button_workflow_id": 10001,
    "status_log": {"in_progress": 0, "on_the_way": 0, "pending": 0, "completed": 0},
    "total_price": "0.00",
    "tags": [],
    "assignments": [],
    "customfields": [],
}
_DOCUMENT = {
    **AUTHORED,
    **nulls(
        "mongo_id customer_id job_id project_id contract_id status_id status_workflow_id title notes invoiced_date"
        " due_date first_payment_date last_payment_date commission_recipient_id qbo_id last_qbo_sync line_discount"
        " line_surcharge customer"
    ),
    **off("qb_originated failed_sync invoice_show_line_item_taxed invoice_show_line_item_sku"),
    **off("invoice_use_contract invoice_show_job_title invoice_show_job_location invoice_show_assigned_members"),
    **on(
        "invoice_show_line_item_unit_price invoice_show_line_item_qty invoice_show_line_item_total"
        " invoice_show_line_item_desc invoice_show_total_tax invoice_show_author invoice_show_service_address",
    ),
    **dict.fromkeys(("tax", "tax_rate", "discount", "total", "service_price", "amount_paid", "amount_unpaid"), "0.00"),
    "status": 2,
    "subtotal": "0.000000",
    "subtotal_discounted": "0.000000",
    "commission_type": 1,
    "commission_percent": "",
    "commission": "0",
    "estimate_status": 0,
    "invoice_contract_signature_lines": 1,
    "invoice_amount_due_display_type": "remaining_balance",
    "invoice_amount_due_display_value": "0",
    "invoice_pdf_title": "",
    **{name: [] for name in ("expenses", "items", "payments", "assignments", "team_members", "line_items")},
}
_ITEM = {
    **OWNED,
    **nulls(
        "name sku default_description quantity_available unit_measure vendor_type vendor_id vendor_name"
        " supplier_item_id automatic_markup_percentage price_update_method inventory_mode auto_reorder_level"
        " replenishment_level minimum_order_quantity tax_rate xero_sales_account xero_tax_account qbo_id"
        " qbo_sales_tax_code_id qbo_purchase_tax_code_id qbo_income_account_id qbo_expense_account_id"
        " qbo_asset_account_id external_id external_type external_sync_status upc unit_cost_per_unit_measure"
        " unit_price_per_unit_measure minimum_dimensional_size maximum_dimensional_size import_id"
    ),
    **off("is_labor_item track_inventory is_round_up_to_even_dimensional_size"),
    **off("is_automatic_replenishment_by_purchase_order_enabled"),
    **on("is_active default_taxable"),
    "type": "material",
    "default_unit_price": "0.0000",
    "default_unit_cost": "0.0000",
    "default_quantity": "1",
    "tags": [],
    "customfields": [],
}
PERMISSIONS = [
    f"{verb}_{noun}"
    for verb in ("view", "create", "edit", "delete")
    for noun in (
        *("customers", "jobs", "estimates", "invoices", "payments", "items", "lists", "orders"),
        *("projects", "assets", "subtasks", "comments", "hours", "teams", "users", "tags", "reports", "files"),
        *("forms", "vendors", "sites", "plans", "calendar", "visits", "shares"),
    )
]
"""Names of 100 permission flags. The live API has about as many (verified); their names here are invented."""
_SETTINGS = [f"option_{number:02d}" for number in range(1, 37)]
"""More columns, so that a row has the 169 keys of a live one (verified)."""
SECRETS = (
    *("api_token", "google_calendar_object", "google_calendar_id", "last_known_location"),
    *("calls_forwarded_phone_number", "calls_forwarded_phone_number_e164"),
)
"""Columns of a user that a client must not show."""
FEW_USER_COLUMNS = frozenset(
    {
        *("id", "company_id", "first_name", "last_name", "email", "phone", "notes", "role", "is_active"),
        "last_known_location",
    }
)
"""The columns of a user that were known before the live list of May 2026."""
_USER = {
    **OWNED,
    **nulls("mongo_id cuid first_name last_name email phone notes role time_zone avatar tsheets_user_id"),
    **nulls("qbo_employee_id commission_rate commission_type recent_activity last_logged_in_at deactivated_at"),
    **nulls(" ".join([*SECRETS, *_SETTINGS])),
    **off(" ".join(["founder", "is_free_user", *PERMISSIONS])),
    "is_active": True,
    "members": [],
    "managers": [],
}
_STATUS = {"id": 0} | nulls("icon name type color") | {"company_id": COMPANY_ID, "object_type": "job"} | STAMPS
_QB_CLASS = {"id": 0, "company_id": COMPANY_ID} | nulls("qbo_id name fully_qualified_name active created_at updated_at")

SHAPES: dict[str, Row] = {
    "customers": _CUSTOMER,
    "customer_contacts": OWNED | nulls("customer_id first_name last_name email phone notes") | {"order": 1},
    "locations": OWNED
    | nulls("author_id object_id object_type title address_1 address_2 address_3 address_4 address_5 city state")
    | nulls("zip_code notes primary_customer_contact_id location_coords search_text import_id tax_rate")
    | {"is_main_location": False, "is_primary_location": False, "order_index": 1},
    "jobs": _JOB,
    "job_status_workflows": _STATUS
    | {"is_active": True, "is_default": True, "status_ids": [], "statuses": []}
    | nulls("default_status_id default_status"),
    "job_statuses": _STATUS,
    "job_qb_classes": _QB_CLASS,
    "estimate_qb_classes": _QB_CLASS,
    "invoice_qb_classes": _QB_CLASS,
    "subtasks": AUTHORED
    | nulls("title due_date customer_id job_id project_id recurring_job_id description")
    | {"status": 1, "is_template": False, "is_required_for_job": False, "assignments": []},
    "comments": OWNED
    | nulls("text author_id commentable_id commentable_type")
    | {"is_visible_in_customer_portal": False},
    "timesheets": OWNED
    | nulls("user_id clock_in_title clock_out_title clock_in_method clock_out_method clock_in_time clock_out_time")
    | nulls("clock_in_notes clock_out_notes clock_in_location clock_out_location job_id subtask_id type")
    | {"is_historical": False},
    "custom_fields": OWNED
    | nulls("name object settings")
    | {"position": 0, "permission": "1,2,3", "edit_permission": "1,2,3", "is_active": True, "related_record_names": []}
    | {"can_customer_view": False, "field_widget_id": 1},
    "estimates": _DOCUMENT | {"status": 1, "custom_status": None},
    "invoices": _DOCUMENT | {"customfields": []},
    "payments": AUTHORED
    | nulls("invoice_id customer_id payment_date method payment_method_id notes square_transaction_id")
    | {"amount": "0.00", "status": 4},
    "items": _ITEM,
    "material_lists": AUTHORED
    | nulls("title status notes internal_notes customer_id job_id project_id status_id status_workflow_id")
    | {"is_template": False, "subtotal": "0.00"}
    | {"groupings": [], "items": [], "assignments": [], "customfields": []},
    "purchase_orders": AUTHORED
    | nulls("vendor_type vendor_id vendor_name tax_rate title status payment_status comment order_at received_at")
    | nulls("expected_delivery_at customer_id job_id project_id invoice_id assigned_id order_email delivery_method")
    | nulls("delivery_address delivery_flat delivery_city delivery_state delivery_postcode delivery_instruction")
    | nulls("pickup_branch_id order_number order_phone")
    | {"items": []},
    "projects": AUTHORED
    | nulls("customer_id name description status_id status_workflow_id location_id location start_time end_time")
    | nulls("notes job_notes")
    | {"status": 1, "completion_percentage": "0", "assignments": [], "tags": [], "customfields": []},
    "contracts": OWNED | nulls("author_id title text") | {"is_default": False},
    "assets": OWNED
    | nulls("customer_id title asset_type asset_category_id tag location_description install_date status notes")
    | nulls("maintenance_agreement_id manufacturer model model_number serial_number model_year model_details")
    | nulls("warranty_expiration labor_warranty_expiration warranty_information labor_warranty_information")
    | nulls("condition issues")
    | {"is_template": False, "customfields": []},
    "asset_categories": OWNED | nulls("title"),
    "vendors": OWNED | nulls("name email phone address"),
    "teams": AUTHORED | nulls("mongo_id title description about") | {"members": [], "managers": []},
    "users": _USER,
    "tags": OWNED | nulls("mongo_id cuid title type color"),
    "lead_sources": OWNED | nulls("author_id name"),
    "pipeline_statuses": OWNED | nulls("status type name color order"),
    "company_profiles": {"id": COMPANY_ID}
    | nulls("title email phone website address_1 city state zip_code time_zone")
    | STAMPS,
}

DETAIL_ONLY: dict[str, frozenset[str]] = {
    "customers": frozenset({"has_available_forms"}),
    "jobs": frozenset({"status_log", "customfields", "total_price", "has_available_forms", "map", "schedule_details"}),
    "estimates": frozenset({"custom_status"}),
}
"""Columns that a row by id has, and a row of a list does not (verified)."""
NEVER_SHOWN: dict[str, frozenset[str]] = {"material_lists": frozenset({"customfields"})}
"""Columns that no response has. Their values are under another key, if requested: see `custom_field_values`."""


def blank_row(name: str) -> Row:
    """Return a row of this resource without values. Each row has its own lists."""
    return {key: [] if value == [] else value for key, value in SHAPES[name].items()}
