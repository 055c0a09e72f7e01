-- Which jobs have no date yet and could fill a gap?
-- Leaves out templates and jobs that are in progress, on the way, completed or canceled.
select
    jobs.id as job_id,
    jobs.cuid as job_number,
    jobs.job_type,
    all_job_statuses.name as job_status,
    jobs.customer_id,
    coalesce(all_customers.name, 'customer ' || jobs.customer_id) as customer,
    all_locations.city,
    jobs.created_at_day as created_on,
    settings.today - jobs.created_at_day as days_waiting
from jobs
cross join settings
left join all_customers on all_customers.id = jobs.customer_id
left join all_locations on all_locations.id = jobs.location_id
left join all_job_statuses on all_job_statuses.id = jobs.status_id
where jobs.start_time is null
    and coalesce(jobs.status, 1) not in (2, 4, 5, 6)
    and not coalesce(jobs.is_template, false)
order by created_on, job_id
