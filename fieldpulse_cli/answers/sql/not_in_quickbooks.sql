-- Which invoices and payments did not reach QuickBooks?
-- Leaves out drafts, void invoices, what came from QuickBooks, and credit memos; the API tells nothing of payments, so
-- a payment is here if its invoice is not in QuickBooks.
select document, id, number, customer_id, coalesce(customer, 'customer ' || customer_id) as customer, amount, day, reason
from (
    select
        'invoice' as document,
        invoices.id,
        invoices.cuid as number,
        invoices.customer_id,
        all_customers.name as customer,
        round(invoices.total, 2) as amount,
        coalesce(invoices.invoiced_date_day, invoices.created_at_day) as day,
        case when invoices.failed_sync then 'its sync failed' else 'it was never sent' end as reason
    from invoices
    left join all_customers on all_customers.id = invoices.customer_id
    where coalesce(invoices.status, 3) not in (1, 2, 6)
        and not coalesce(invoices.qb_originated, false)
        and (invoices.qbo_id is null or coalesce(invoices.failed_sync, false))
    union all
    select
        'payment' as document,
        payments.id,
        payments.cuid as number,
        payments.customer_id,
        all_customers.name as customer,
        round(payments.amount, 2) as amount,
        coalesce(payments.payment_date_day, payments.created_at_day) as day,
        'its invoice is not there' as reason
    from payments
    join invoices on invoices.id = payments.invoice_id
    left join all_customers on all_customers.id = payments.customer_id
    where coalesce(payments.method, '') <> 'credit_memo'
        and coalesce(invoices.status, 3) not in (1, 2, 6)
        and not coalesce(invoices.qb_originated, false)
        and invoices.qbo_id is null
) documents
order by day, document, id
