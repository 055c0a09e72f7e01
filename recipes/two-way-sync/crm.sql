-- The CRM of the example: one table. docs/recipes/two-way-sync.md
create schema crm;
create table crm.contacts (
    id text primary key, -- a key of the CRM; a contact that came from FieldPulse has 'fieldpulse-' and its id there
    fieldpulse_id bigint,
    first_name text,
    last_name text,
    email text,
    phone text,
    notes text
);
insert into crm.contacts (id, first_name, last_name, email, phone) values
    ('C-1', 'Ana', 'Ruiz', 'ana.ruiz@example.com', '(214) 555-0181'),
    ('C-2', 'Bo', 'Chen', null, null);
