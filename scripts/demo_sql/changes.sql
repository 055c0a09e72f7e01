-- What changed in FieldPulse between two runs, with an example of the old and the new value.
-- Needs the stream change_events in the schema fieldpulse.

select trigger, message, count(*) as events, min(old_value::text) as before, min(new_value::text) as after
from fieldpulse.change_events group by 1, 2 order by 1, 2;
