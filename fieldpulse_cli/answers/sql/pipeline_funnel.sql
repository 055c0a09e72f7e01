-- How many customers are at each stage of the sales pipeline, and what are their open estimates worth?
-- Leaves out merged customers, and void, accepted, completed and lost estimates; `moved_in_30_days` counts the
-- customers who came to their stage in the last 30 days.
select
    pipeline_statuses.id as stage_id,
    coalesce(pipeline_statuses.label, '(no stage)') as stage,
    pipeline_statuses.type as stage_type,
    count(members.id) as customers,
    count(case when settings.today - members.moved_day <= 30 then 1 end) as moved_in_30_days,
    coalesce(cast(sum(quotes.estimates) as bigint), 0) as open_estimates,
    round(coalesce(sum(quotes.total), 0), 2) as open_estimate_total
from pipeline_statuses
full join (
    select customers.id, customers.pipeline_status_id as stage_id, customers.pipeline_status_updated_at_day as moved_day
    from customers
    where customers.merged_customer_id is null
) members on members.stage_id = pipeline_statuses.id
cross join settings
left join (
    select estimates.customer_id, count(*) as estimates, sum(estimates.total) as total
    from estimates
    where coalesce(estimates.status, 1) = 1
        and coalesce(lower(estimates.custom_status_name), '') not in ('accepted', 'completed', 'lost')
    group by estimates.customer_id
) quotes on quotes.customer_id = members.id
group by pipeline_statuses.id, pipeline_statuses.label, pipeline_statuses.type
order by stage_id
