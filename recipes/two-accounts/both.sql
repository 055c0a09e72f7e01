-- Ids of FieldPulse are those of one account: a row of both is named by its account and its id.
create or replace view customers as
select 'north' as account, id, display_name, email, status from north.customers
union all select 'south', id, display_name, email, status from south.customers;

create or replace view jobs_by_account as
select account, count(*) as jobs, sum(case when status = 4 then 1 else 0 end) as completed
from (select 'north' as account, status from north.jobs union all select 'south', status from south.jobs)
group by account order by account;
