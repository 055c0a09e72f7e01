"""Items, materials and purchasing, and the equipment at customers' sites."""

from __future__ import annotations

from .model import ALL_OPERATIONS, LIST_AND_GET, Evidence, Operation, Resource, WritableResource
from .shorthand import ASSIGNMENTS, fields_of, row_of, tags_by_title, user_by_email
from .write_model import Action, Field, FieldType, Reference, WriteSpec

_VENDOR = Reference(field="vendor_id", stream="vendors", name_property="vendor", column="name")
_LINKABLE = ("job", "project", "invoice", "order", "estimate")  # the documented values of the filter `by_entity`


def _link_action(name: str, preposition: str, *extra_fields: Field, link: str = "link") -> Action:
    """Return the action that connects a material list to an entity or disconnects it."""
    streams = {"order": "purchase_orders"}
    return Action(
        name=name,
        path=f"/material-lists/{{id}}/{name.replace('_', '-')}",
        link_kind=link,
        item=WriteSpec(
            fields=(
                Field(f"{preposition}_entity", allowed_values=_LINKABLE),
                Field(f"{preposition}_entity_id", FieldType.INTEGER),
                *extra_fields,
            ),
            references=tuple(
                Reference(
                    field=f"{preposition}_entity_id",
                    stream=streams.get(kind, f"{kind}s"),
                    external_id_property=f"{kind}_external_id",
                    also_sets=((f"{preposition}_entity", kind),),
                )
                for kind in _LINKABLE
            ),
            required=(f"{preposition}_entity", f"{preposition}_entity_id", *(field.name for field in extra_fields)),
        ),
    )


ITEMS = WritableResource(
    name="items",
    path="/items",
    item_path="/items/{id}",
    title="Items and services of the price book, with stock",
    operations=ALL_OPERATIONS - {Operation.DELETE},
    custom_field_object="item",
    evidence=Evidence.VERIFIED,
    source="17,536 live rows from 2026 for the main keys; the rest from the documented write body",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.TEXT, "name sku upc type default_description unit_measure"),
            *fields_of(FieldType.BOOLEAN, "default_taxable is_active is_labor_item track_inventory"),
            *fields_of(FieldType.DECIMAL, "default_unit_price default_unit_cost default_quantity tax_rate"),
            *fields_of(
                FieldType.DECIMAL, "quantity_available auto_reorder_level replenishment_level minimum_order_quantity"
            ),
            *fields_of(
                FieldType.DECIMAL, "automatic_markup_percentage unit_cost_per_unit_measure unit_price_per_unit_measure"
            ),
            *fields_of(FieldType.DECIMAL, "minimum_dimensional_size maximum_dimensional_size"),
            Field("is_round_up_to_even_dimensional_size", FieldType.BOOLEAN),
            Field("is_automatic_replenishment_by_purchase_order_enabled", FieldType.BOOLEAN),
            Field("vendor_id", FieldType.INTEGER),
            *fields_of(FieldType.TEXT, "vendor_type vendor_name supplier_item_id price_update_method inventory_mode"),
            *fields_of(
                FieldType.TEXT,
                "xero_sales_account xero_tax_account qbo_id qbo_sales_tax_code_id qbo_purchase_tax_code_id",
            ),
            *fields_of(FieldType.TEXT, "qbo_income_account_id qbo_expense_account_id qbo_asset_account_id"),
            # `external_id` is left out: the target sends it only if the setting external_id_fields asks for it.
            *fields_of(FieldType.TEXT, "external_type external_sync_status"),
            *fields_of(
                FieldType.JSON,
                "inventory_hub_items item_links serialized_inventories item_price_tiers customfields tags",
            ),
        ),
        references=(_VENDOR, tags_by_title()),
        required=("name",),
        fingerprint_fields=("name", "sku", "type"),  # `sku` is not a match field, because lists may lack it
        external_id_column="external_id",
    ),
)

MATERIAL_LISTS = WritableResource(
    name="material_lists",
    path="/material-lists",
    item_path="/material-list/{id}",
    create_path="/material-list",
    title="Lists of materials for jobs and projects",
    custom_field_object="material_list",
    with_custom_fields_params=(("withCustomfieldsAndRelatedData", "true"),),
    evidence=Evidence.INFERRED,
    source="no response was ever published, and the documented write body is empty",
    write_spec=WriteSpec(
        # The documented body is empty. These are columns that rows have elsewhere, or probably have (inferred).
        fields=(
            *fields_of(FieldType.TEXT, "title status notes internal_notes"),
            Field("is_template", FieldType.BOOLEAN),
            *fields_of(FieldType.INTEGER, "customer_id job_id project_id status_id status_workflow_id"),
            *fields_of(FieldType.JSON, "groupings items assignments customfields"),
        ),
        references=(row_of("customer"), row_of("job"), row_of("project"), *ASSIGNMENTS),
        required=("title",),
        fingerprint_fields=("title", "job_id", "project_id"),
        actions=(
            _link_action("disconnect", "from"),
            _link_action("connect", "to"),
            _link_action("item_connect", "to", Field("item_ids", FieldType.JSON), link="item_link"),
        ),
    ),
)

PURCHASE_ORDERS = WritableResource(
    name="purchase_orders",
    path="/purchase-orders",
    item_path="/purchase-orders/{id}",
    title="Purchase orders, with their items",
    evidence=Evidence.DOCUMENTED,
    source="the documented write body; id and timestamps observed",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.TEXT, "vendor_type vendor_name title status payment_status comment"),
            Field("tax_rate", FieldType.DECIMAL),  # the vendor's example has a trailing space in the name
            *fields_of(FieldType.TIME, "order_at expected_delivery_at received_at"),
            *fields_of(FieldType.INTEGER, "vendor_id customer_id job_id project_id invoice_id assigned_id"),
            Field("order_email", FieldType.EMAIL),
            *fields_of(FieldType.TEXT, "delivery_method delivery_address delivery_flat delivery_city delivery_state"),
            *fields_of(FieldType.TEXT, "delivery_postcode delivery_instruction pickup_branch_id order_number"),
            Field("order_phone", FieldType.E164),
            Field("items", FieldType.JSON, amount_keys=("unit_cost",)),
        ),
        references=(
            _VENDOR,
            row_of("customer"),
            row_of("job"),
            row_of("project"),
            row_of("invoice"),
            user_by_email("assigned_id", "assigned_to_email"),
        ),
        require_any_of=("title", "order_number", "vendor_id", "vendor_name"),
        fingerprint_fields=("title", "order_number", "vendor_id", "vendor_name", "job_id", "project_id"),
    ),
)

VENDORS = Resource(
    name="vendors",
    path="/vendors",
    item_path="/vendors/{id}",
    title="Vendors of materials",
    operations=LIST_AND_GET,
    supports_page=False,
    updated_column=None,
    evidence=Evidence.OBSERVED,
    source="id and timestamps observed; the name from vendor-side code",
)

ASSETS = WritableResource(
    name="assets",
    path="/assets",
    item_path="/assets/{id}",
    title="Equipment at customers' sites",
    custom_field_object="asset",
    evidence=Evidence.VERIFIED,
    source="4 live rows from 2026 for the main keys; the rest from the documented write body",
    write_spec=WriteSpec(
        fields=(
            Field("title"),
            Field("status"),
            *fields_of(FieldType.INTEGER, "customer_id maintenance_agreement_id asset_category_id"),
            *fields_of(FieldType.TEXT, "asset_type tag"),
            Field("is_template", FieldType.BOOLEAN),
            Field("location", row_column="location_description"),
            Field("install_date", FieldType.DATE),
            *fields_of(FieldType.TEXT, "manufacturer model model_number serial_number model_year model_details"),
            *fields_of(FieldType.DATE, "warranty_expiration labor_warranty_expiration"),
            *fields_of(FieldType.TEXT, "warranty_information labor_warranty_information condition issues notes"),
            # That assets take `customfields` as other entities do is inferred.
            *fields_of(FieldType.JSON, "job_ids customfields"),
        ),
        references=(
            row_of("customer"),
            Reference(
                field="asset_category_id", stream="asset_categories", name_property="asset_category", column="title"
            ),
        ),
        required=("title",),
        fingerprint_fields=("title", "customer_id", "serial_number", "tag"),
    ),
)

ASSET_CATEGORIES = WritableResource(
    name="asset_categories",
    path="/assets-category",
    item_path="/assets-category/{id}",
    title="Categories of assets",
    evidence=Evidence.INFERRED,
    source="the title is documented; the rest follows the other lists",
    write_spec=WriteSpec(
        fields=(Field("title"),), required=("title",), match_sets=(("title",),), fingerprint_fields=("title",)
    ),
)
