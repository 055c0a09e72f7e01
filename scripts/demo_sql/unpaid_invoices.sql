-- The customers who owe most, with their number of unpaid invoices and the oldest due date.
-- Needs the streams invoices and customers in the schema fieldpulse.

select coalesce(nullif(c.display_name, ''), c.company_name) as customer, count(*) as invoices,
    round(sum(i.amount_unpaid), 2) as unpaid, min(i.due_date)::date as "oldest due"
from fieldpulse.invoices i join fieldpulse.customers c on c.id = i.customer_id
where i.amount_unpaid > 0 group by 1 order by unpaid desc limit 8;
