create table block (
    id integer primary key,
    stop integer not null,
    units integer not null,
    missing text,
    started_ms integer not null,
    worker text not null,
    key_first integer,
    key_by integer,
    keys text,
    input text,
    results text not null,
    durations blob not null
) strict;
