-- unit.id = step.number << 40 | seq, so that a step's units lie together in order of seq. unit.status: 0 pending,
-- 1 interrupted, 2 succeeded, 3 failed, 4 skipped. unit.pos is the position in the latest reading, null for a unit that is
-- gone; unit.reading the number of the reading that saw it last. unit.due_ms is before when (wall clock, ms) a pending unit
-- must not start; unit.gone is the status that a unit had before the source lost it; unit.value null: the key is the value.
-- block: units that succeeded at their first attempt in one call, whose seqs and positions follow each other. None of them
-- has a row in unit; a step that was read anew, reordered, or looked up by keys (step.keyed) has no blocks.
-- lease: who works on a run, until when by the clock of the database. mark: the last transaction that wrote to a run, how many
-- there were, and the number (epoch) of the ownership that may write: a transaction of an earlier one would set it to null.
-- In texts U+001A 0 stands for NUL, which PostgreSQL does not take, and two U+001A for one.

create table store (
    one smallint primary key default 1 check (one = 1),
    version integer not null,
    identity bigint not null
);

insert into store (version, identity) values (0, ('x' || substr(md5(random()::text || clock_timestamp()::text), 1, 15))::bit(60)::bigint);

create table run (
    number bigint generated always as identity primary key,
    id text collate "C" not null unique,
    name text not null,
    file text not null,
    workflow text not null,
    params text not null,
    fingerprint text not null,
    status text not null,
    created_ms bigint not null,
    ended_ms bigint,
    durability text not null,
    redo_window text not null,
    options text not null
);

create table lease (
    run text collate "C" primary key,
    owner text not null,
    epoch bigint not null,
    until timestamptz not null
);

create table mark (
    run text collate "C" primary key,
    token bigint not null,
    commits bigint not null,
    epoch bigint not null
) with (fillfactor = 50);

create table step (
    number bigint generated always as identity primary key,
    run text collate "C" not null,
    name text not null,
    ord integer not null,
    batch smallint not null,
    status text not null default 'pending',
    total bigint,
    succeeded bigint not null default 0,
    failed bigint not null default 0,
    skipped bigint not null default 0,
    running bigint not null default 0,
    result text,
    failure text,
    started_ms bigint,
    duration_ms bigint not null default 0,
    stale smallint not null default 0,
    note text,
    reading integer not null default 0,
    reordered smallint not null default 0,
    keyed smallint not null default 0,
    unique (run, name)
) with (fillfactor = 50);

create table unit (
    id bigint primary key,
    pos bigint,
    duration_us bigint not null default 0,
    started_ms bigint not null default 0,
    due_ms bigint not null default 0,
    attempts integer not null,
    base integer not null default 0,
    doubts integer not null default 0,
    reading integer not null default 0,
    status smallint not null,
    gone smallint,
    handled smallint not null default 1,
    key text collate "C" not null,
    worker text not null default '',
    note text not null default '',
    members text,
    value text,
    result text,
    failure text,
    handler_failure text
);

create index unit_key on unit ((id >> 40), hashtextextended(key, 0));

create index unit_pos on unit ((id >> 40), pos, id);

create index unit_open on unit (status, id) where status <> 2;

create index unit_placeless on unit (id) where pos is null;

create table member (
    unit bigint not null,
    key text collate "C" not null
);

create index member_key on member ((unit >> 40), hashtextextended(key, 0));

create index member_unit on member (unit);

create table block (
    id bigint primary key,
    stop bigint not null,
    started_ms bigint not null,
    key_first bigint,
    key_by bigint,
    units integer not null,
    worker text not null,
    missing text,
    keys text,
    input text,
    results text not null,
    durations bytea not null
);

create table claim (
    step bigint not null,
    id bigint not null,
    attempt integer not null,
    units text not null,
    primary key (step, id)
);

create table attempt (
    unit bigint not null,
    attempt integer not null,
    started_ms bigint not null,
    duration_us bigint not null,
    failure text not null,
    worker text not null,
    primary key (unit, attempt)
);

create table log (
    unit bigint not null,
    attempt integer not null,
    text text not null,
    primary key (unit, attempt)
);

create table running (
    step bigint not null,
    seq bigint not null,
    pos bigint not null,
    started_ms bigint not null,
    attempt integer not null,
    key text not null,
    worker text not null,
    stdout text not null,
    stderr text not null,
    primary key (step, seq)
);

create table sample (
    run text collate "C" not null,
    at_ms bigint not null,
    cpu_percent double precision not null,
    rss_bytes bigint not null,
    descriptors bigint not null,
    processes bigint not null,
    units_per_s double precision not null,
    p50_us bigint not null,
    p95_us bigint not null,
    p99_us bigint not null,
    primary key (run, at_ms)
);
