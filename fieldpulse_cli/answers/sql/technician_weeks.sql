-- What did each technician bring in and work, week by week?
-- Leaves out credit memos and payments of void invoices. Money counts in the week in which it came, for the invoice's
-- commission recipient, or else for the only user of its job. Hours are those of closed timesheets, in the week of
-- their start; `unclosed` counts the others.
select
    week,
    user_id,
    case when user_id is null then '(unassigned)' else coalesce(all_users.name, 'user ' || user_id) end as technician,
    cast(sum(payment) as bigint) as payments,
    round(sum(amount), 2) as revenue,
    cast(round(sum(seconds) / 3600.0, 2) as decimal(18, 2)) as hours,
    cast(sum(unclosed) as bigint) as unclosed
from (
    select
        cast(date_trunc('week', coalesce(payments.payment_date_local, payments.created_at_local)) as date) as week,
        coalesce(all_invoices.commission_recipient_id, all_jobs.only_user_id) as user_id,
        1 as payment,
        coalesce(payments.amount, 0) as amount,
        0 as seconds,
        0 as unclosed
    from payments
    left join all_invoices on all_invoices.id = payments.invoice_id
    left join all_jobs on all_jobs.id = all_invoices.job_id
    where coalesce(payments.method, '') <> 'credit_memo' and coalesce(all_invoices.status, 3) <> 6
    union all
    select
        cast(date_trunc('week', coalesce(timesheets.clock_in_time_local, timesheets.created_at_local)) as date) as week,
        timesheets.user_id,
        0 as payment,
        0 as amount,
        case
            when timesheets.clock_out_time >= timesheets.clock_in_time
            then extract(epoch from timesheets.clock_out_time) - extract(epoch from timesheets.clock_in_time)
            else 0
        end as seconds,
        case when timesheets.clock_out_time >= timesheets.clock_in_time then 0 else 1 end as unclosed
    from timesheets
) entries
left join all_users on all_users.id = user_id
group by week, user_id, all_users.name
order by week desc, revenue desc, hours desc, user_id
