-- Which items are at or below their reorder level, and how many to order?
-- Leaves out inactive items and those whose stock is not tracked; what is already on order is not subtracted. An item
-- without a level is here when its stock is used up.
select
    items.id as item_id,
    items.sku,
    items.name,
    all_vendors.name as vendor,
    items.quantity_available as available,
    round(items.auto_reorder_level, 2) as reorder_level,
    round(
        greatest(
            coalesce(items.replenishment_level, items.auto_reorder_level, 0) - items.quantity_available,
            coalesce(items.minimum_order_quantity, 1),
            1
        ),
        2
    ) as order_quantity,
    round(items.default_unit_cost, 4) as unit_cost
from items
left join all_vendors on all_vendors.id = items.vendor_id
where coalesce(items.is_active, true)
    and items.track_inventory
    and items.quantity_available <= coalesce(items.auto_reorder_level, 0)
order by available, item_id
