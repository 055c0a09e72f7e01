-- To which address does the post of each customer go?
-- Leaves out merged customers; without a different billing address it is the main location.
select
    customers.id as customer_id,
    coalesce(customers.name, 'customer ' || customers.id) as customer,
    case when customers.has_different_billing_address then customers.billing_address_1 else customers.main_street end
        as street,
    case when customers.has_different_billing_address then customers.billing_city else customers.main_city end as city,
    case when customers.has_different_billing_address then customers.billing_state else customers.main_state end
        as state,
    case when customers.has_different_billing_address then customers.billing_zip_code else customers.main_zip_code end
        as zip_code,
    coalesce(customers.has_different_billing_address, false) as is_billing_address
from customers
where customers.merged_customer_id is null
order by customer, customer_id
