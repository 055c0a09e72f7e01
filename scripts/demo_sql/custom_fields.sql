-- Custom fields by name: put the names of your own in place of preferred_day and number_of_units.
-- Needs the stream customers in the schema fieldpulse.

select custom_fields ->> 'preferred_day' as "preferred day", count(*) as customers,
    avg(case when jsonb_typeof(custom_fields -> 'number_of_units') = 'number'
        then (custom_fields ->> 'number_of_units')::numeric end)::numeric(6, 1) as "units, on average"
from fieldpulse.customers where custom_fields ->> 'preferred_day' is not null group by 1 order by 2 desc;
