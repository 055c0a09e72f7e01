-- Which completed jobs have no invoice?
-- Leaves out templates; a draft is an invoice here, a void invoice is not. `unlinked_invoices` counts what the customer
-- was billed since without naming a job, as QuickBooks imports do: look there before billing again.
select
    jobs.id as job_id,
    jobs.cuid as job_number,
    jobs.job_type,
    jobs.customer_id,
    coalesce(all_customers.name, 'customer ' || jobs.customer_id) as customer,
    jobs.completed_at_day as completed_on,
    settings.today - jobs.completed_at_day as days_waiting,
    count(unlinked.day) as unlinked_invoices
from jobs
cross join settings
left join all_customers on all_customers.id = jobs.customer_id
left join (
    select invoices.customer_id, invoices.invoiced_date_day as day
    from invoices
    where invoices.job_id is null and coalesce(invoices.status, 3) not in (1, 6)
) unlinked
    on unlinked.customer_id = jobs.customer_id
    and unlinked.day >= coalesce(jobs.completed_at_day, jobs.start_time_day)
where jobs.status = 4
    and not coalesce(jobs.is_template, false)
    and not exists (
        select 1 from invoices where invoices.job_id = jobs.id and coalesce(invoices.status, 3) not in (1, 6)
    )
group by
    jobs.id, jobs.cuid, jobs.job_type, jobs.customer_id, all_customers.name, jobs.completed_at_day, settings.today
order by completed_on, job_id
