-- The journal of an account: each document has as much debit as credit. Days are those of the office: replace its zone.
create or replace view fieldpulse.journal as
with issued as (
    select id, cast(timezone('America/Chicago', timezone('UTC', invoiced_date)) as date) as day,
        cast(total as decimal(18, 2)) as total, cast(coalesce(nullif(tax, ''), '0') as decimal(18, 2)) as tax
    from fieldpulse.invoices
    where deleted_at is null and status in (3, 4, 5) -- invoiced, paid, partially paid; neither drafts nor void ones
),
received as (
    select id, invoice_id, cast(timezone('America/Chicago', timezone('UTC', payment_date)) as date) as day, method,
        cast(amount as decimal(18, 2)) as amount
    from fieldpulse.payments
    where deleted_at is null and invoice_id in (select id from issued)
)
select day, 'invoice ' || id as document, 'Receivables' as account, total as debit, 0.00 as credit from issued
union all select day, 'invoice ' || id, 'Revenue', 0, total - tax from issued
union all select day, 'invoice ' || id, 'Sales tax', 0, tax from issued where tax <> 0
union all select day, 'payment ' || id, 'Money received, ' || coalesce(method, 'other'), amount, 0 from received
union all select day, 'payment ' || id, 'Receivables', 0, amount from received;

create or replace view fieldpulse.balances as
select account, sum(debit) as debit, sum(credit) as credit, sum(debit) - sum(credit) as balance
from fieldpulse.journal group by account order by account;

-- Estimates are promises, and not in the books.
create or replace view fieldpulse.open_estimates as
select e.id, coalesce(nullif(c.display_name, ''), c.company_name) as customer, cast(e.total as decimal(18, 2)) as total
from fieldpulse.estimates e left join fieldpulse.customers c on c.id = e.customer_id
where e.deleted_at is null and e.status = 1;

-- Invoices of which FieldPulse says something else is open than the payments leave: look at them before you trust either.
create or replace view fieldpulse.to_check as
select i.id, cast(i.total as decimal(18, 2)) as total, coalesce(p.paid, 0) as paid,
    cast(i.amount_unpaid as decimal(18, 2)) as unpaid
from fieldpulse.invoices i left join (
    select invoice_id, sum(cast(amount as decimal(18, 2))) as paid from fieldpulse.payments
    where deleted_at is null group by 1
) p on p.invoice_id = i.id
where i.deleted_at is null and i.status in (3, 4, 5)
    and greatest(cast(i.total as decimal(18, 2)) - coalesce(p.paid, 0), 0) <> cast(i.amount_unpaid as decimal(18, 2));
