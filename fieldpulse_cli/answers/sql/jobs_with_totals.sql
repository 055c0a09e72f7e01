-- What was billed and paid for the jobs of a period, where and for whom?
-- Leaves out templates; drafts and void invoices do not count. Choose the period by `start_day`; `billed_to` is the
-- customer of the invoices, which Bill-to-Parent makes another than the job's.
select
    jobs.id as job_id,
    jobs.cuid as job_number,
    jobs.job_type,
    all_job_statuses.name as job_status,
    jobs.start_time_day as start_day,
    jobs.start_time_local as start_time,
    jobs.customer_id,
    coalesce(all_customers.name, 'customer ' || jobs.customer_id) as customer,
    all_locations.address_1 as street,
    all_locations.city,
    coalesce(bills.invoices, 0) as invoices,
    bills.billed_to,
    round(coalesce(bills.invoiced, 0), 2) as invoiced,
    round(coalesce(bills.paid, 0), 2) as paid,
    round(coalesce(bills.unpaid, 0), 2) as unpaid
from jobs
left join all_customers on all_customers.id = jobs.customer_id
left join all_locations on all_locations.id = jobs.location_id
left join all_job_statuses on all_job_statuses.id = jobs.status_id
left join (
    select
        invoices.job_id,
        count(*) as invoices,
        case
            when count(distinct invoices.customer_id) > 1 then '(several)'
            else min(coalesce(all_customers.name, 'customer ' || invoices.customer_id))
        end as billed_to,
        sum(invoices.total) as invoiced,
        sum(invoices.amount_paid) as paid,
        sum(invoices.unpaid) as unpaid
    from invoices
    left join all_customers on all_customers.id = invoices.customer_id
    where coalesce(invoices.status, 3) not in (1, 2, 6)
    group by invoices.job_id
) bills on bills.job_id = jobs.id
where not coalesce(jobs.is_template, false)
order by start_time, job_id
