-- Which estimates went out more than five days ago and are not accepted?
-- Leaves out what became an invoice, void estimates, and those whose own status is named Accepted, Completed, Draft or
-- Lost; without `custom_status` in the warehouse, accepted estimates are still here.
select
    estimates.id as estimate_id,
    estimates.cuid as estimate_number,
    estimates.title,
    estimates.customer_id,
    coalesce(all_customers.name, 'customer ' || estimates.customer_id) as customer,
    estimates.custom_status_name as custom_status,
    round(estimates.total, 2) as total,
    estimates.issued_day as issued_on,
    settings.today - estimates.issued_day as days_out
from estimates
cross join settings
left join all_customers on all_customers.id = estimates.customer_id
where coalesce(estimates.status, 1) = 1
    and settings.today - estimates.issued_day > 5
    and coalesce(lower(estimates.custom_status_name), '') not in ('accepted', 'completed', 'draft', 'lost')
order by total desc, estimate_id
