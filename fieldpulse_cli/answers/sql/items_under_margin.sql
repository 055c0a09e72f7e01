-- Which items earn less than 30 percent of their price?
-- Leaves out inactive items and those without a cost; an item without a price is here, and has no percentage.
select
    items.id as item_id,
    items.sku,
    items.name,
    items.type,
    round(items.default_unit_price, 4) as price,
    round(items.default_unit_cost, 4) as cost,
    round(items.default_unit_price - items.default_unit_cost, 4) as margin,
    case
        when items.default_unit_price > 0 then cast(
            round(100 * (items.default_unit_price - items.default_unit_cost) / items.default_unit_price, 2)
            as decimal(38, 2)
        )
    end as margin_percent
from items
where coalesce(items.is_active, true)
    and coalesce(items.default_unit_price, 0) - items.default_unit_cost < coalesce(items.default_unit_price, 0) * 0.30
order by margin, item_id
