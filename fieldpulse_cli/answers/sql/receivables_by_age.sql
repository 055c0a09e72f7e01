-- Who owes how much, and for how many days is it past due?
-- Leaves out drafts, void invoices and what is paid; the customer is the invoice's, not its job's, and `credit` is what
-- the company owes the customer.
select
    invoices.customer_id,
    coalesce(all_customers.name, 'customer ' || invoices.customer_id) as customer,
    count(*) as invoices,
    round(sum(invoices.unpaid), 2) as unpaid,
    round(sum(case when settings.today <= invoices.due_date_day then invoices.charge else 0 end), 2) as not_due,
    round(sum(case when settings.today - invoices.due_date_day between 1 and 30 then invoices.charge else 0 end), 2)
        as days_1_to_30,
    round(sum(case when settings.today - invoices.due_date_day between 31 and 60 then invoices.charge else 0 end), 2)
        as days_31_to_60,
    round(sum(case when settings.today - invoices.due_date_day between 61 and 90 then invoices.charge else 0 end), 2)
        as days_61_to_90,
    round(sum(case when settings.today - invoices.due_date_day > 90 then invoices.charge else 0 end), 2)
        as days_over_90,
    round(sum(case when invoices.due_date_day is null then invoices.charge else 0 end), 2) as no_due_date,
    round(sum(invoices.unpaid - invoices.charge), 2) as credit,
    min(case when invoices.charge > 0 then invoices.due_date_day end) as oldest_due
from invoices
cross join settings
left join all_customers on all_customers.id = invoices.customer_id
where invoices.unpaid <> 0 and coalesce(invoices.status, 3) not in (1, 2, 6)
group by invoices.customer_id, all_customers.name
order by unpaid desc, invoices.customer_id
