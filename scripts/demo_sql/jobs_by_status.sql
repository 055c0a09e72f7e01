-- How many jobs are in each status of the account, and when the first and the last of them begin.
-- Needs the streams jobs and job_statuses in the schema fieldpulse.

select s.name as "job status", count(*) as jobs, min(j.start_time)::date as earliest, max(j.start_time)::date as latest
from fieldpulse.jobs j join fieldpulse.job_statuses s on s.id = j.status_id
group by s.name order by jobs desc;
