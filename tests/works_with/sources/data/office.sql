-- The database of an office: its own numbers as keys, padded codes, bare local times, money, and rows in the order of years.
create schema office;
set search_path to office;
create type customer_kind as enum ('lead', 'current customer', 'lost');

create table customers (
    id integer primary key,  -- some are ids of FieldPulse as well
    name varchar(80) not null,
    email varchar(80),
    phone char(20),
    kind customer_kind,
    zip integer,
    labels text[],
    facts jsonb,
    note text
);
insert into customers values
    (10000003, 'Ana Ruiz', 'ana.ruiz@example.com', '(214) 555-0181', 'lead', 75201, '{VIP,Landlord}',
     '{"Gate code": "0417", "Number of units": 12}', 'Dog in the yard'),
    (10000006, 'Brandt & Söhne', 'office@brandt.example', '+49 30 901820', 'current customer', null, null, null, ''),
    (7, 'Corin Faketon', 'corin.faketon.1@EXAMPLE.org', null, null, 2134, null, '{}', 'Prefers mornings');

create table visits (
    id uuid primary key,
    customer integer not null,
    title char(30) not null,
    starts timestamp,
    ends timestamptz,
    due date,
    crew varchar(20),
    urgent boolean not null
);
insert into visits values
    ('5a0c7d2e-0000-4000-8000-000000000001', 10000003, 'Furnace tune-up', '2026-12-01 09:00', '2026-12-01 11:30-06', null,
     'North Crew', true),
    ('5a0c7d2e-0000-4000-8000-000000000002', 7, 'AC repair', '2026-07-15 09:00', '2026-07-15 12:00-05', '2026-07-20', null, false),
    ('5a0c7d2e-0000-4000-8000-000000000003', 10000006, 'Inspection', null, null, 'infinity', null, false);

create table equipment (
    serial char(16) primary key,
    customer integer,
    title text not null,
    installed date,
    warranty date
);
insert into equipment values
    ('SN-0001', 10000003, 'Furnace', '2019-11-04', '2029-11-04'),
    ('SN-0002', 7, 'Water heater', null, 'infinity');

create table bills (
    id bigint primary key,
    customer integer not null,
    title text,
    issued date,
    lines jsonb not null
);
insert into bills values
    (501, 10000003, 'Furnace tune-up', '2026-12-02',
     '[{"line_title": "Labor", "line_components": [{"title": "Hour", "quantity": "1.5", "unit_price": "90.00"}]}]'),
    (502, 7, 'AC repair', '2026-07-16',
     '[{"line_title": "Parts", "line_components": [{"title": "Capacitor", "quantity": "2", "unit_price": "18.45"}]}]');

create table receipts (
    id smallint primary key,
    bill integer,  -- nullable: many programs make numbers with a point of such a column
    amount numeric(12, 4) not null,
    paid_on date,
    method varchar(10) not null
);
insert into receipts values
    (1, 501, 100.0000, '2026-12-03', 'check'),
    (2, 501, 35.0000, '2026-12-10', 'CASH'),
    (3, 502, 36.9000, '2026-07-16', 'card');

create table products (
    sku char(12) primary key,
    name text not null,
    price numeric(12, 4),
    cost money,
    taxed boolean,
    stock integer
);
insert into products values
    ('FLT-1620', 'Filter 16x20', 12.5000, '$8.25', true, 40),
    ('COMP-5T', 'Compressor 5 t', 1234.5600, '$1,034.10', false, null),
    ('FREE', 'Leaflet', 0, '$0.00', null, 0);
