-- A table of website leads, as the pipeline tap-postgres → target-fieldpulse of meltano.yml reads it.
-- Fill a table of this form with leads of your own: each becomes a customer, with `wanted_job` also a job, and with
-- `stage` a move through the sales pipeline. `lead_id` is your own key: the customer of a key is created once.

create schema website;
create table website.leads (
    lead_id integer primary key, full_name text not null, email text, phone text, message text,
    wanted_job text, stage text
);
insert into website.leads values
    (1, 'Juniper Sample', 'juniper.sample@example.com', '214-555-0110', 'Furnace is loud', null, null),
    (2, 'Otto Demo', 'otto.demo@example.com', '214-555-0111', null, 'Furnace tune-up', null),
    (3, 'Wren Placeholder', 'wren.placeholder@example.com', null, 'Quote, please', null, 'Quoted'),
    (4, 'Silas Example', 'silas.example@example.com', '214-555-0113', null, null, null);
