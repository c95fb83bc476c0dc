-- The whole schema as it is now, for reading; the migrations make it (a test compares the two).
--
-- unit.id = step.number << 40 | seq, so that a step's units lie together in order of seq. unit.status: 0 pending,
-- 1 interrupted, 2 succeeded, 3 failed, 4 skipped (small numbers: 0 takes no room, the others one byte). unit.pos is the
-- position in the latest reading, null for a unit that is gone; unit.reading the number of the reading that saw it last.
-- unit.due_ms is before when (wall clock, ms) a pending unit must not start; unit.gone is the status that a unit had before the source lost it, else null; unit.note a UnitNote or empty, step.note the
-- JSON of a StepNote or null. unit.value null: the key is the value. unit.key has no index while a step grows; one for a single step is made when
-- keys are first looked up (unit_key_STEP), one for positions (unit_pos_STEP) when they first differ from seqs.
-- step.reordered: some unit's pos differs from its seq. claim.units is JSON: {"first": seq, …} or {"seqs": […], …}
-- with "keys": […] or "numbers": [start, stop, step], and "members" where units are batches.
-- block: units that succeeded at their first attempt in one call, whose seqs and positions follow each other; see blocks/codec.py.
-- None of them has a row in unit; a step that was read anew, reordered, or looked up by keys has no blocks.
-- running: units that have been running for a while, as their coordinator last said; what is final since is passed over.
-- mark.token names the last transaction, so that a writer can find out whether a commit that seemed to fail took place;
-- mark.commits counts them, mark.store is the identity of the store (see head.py).

create table mark (
    one integer primary key check (one = 1),
    commits integer not null,
    token integer not null,
    store integer not null
) strict;

insert into mark values (1, 0, 0, random());

create table run (
    number integer primary key,
    id text not null unique,
    name text not null,
    file text not null,
    workflow text not null,
    params text not null,
    fingerprint text not null,
    status text not null,
    created_ms integer not null,
    ended_ms integer,
    durability text not null,
    redo_window text not null,
    options text not null
) strict;

create table step (
    number integer primary key autoincrement,
    run text not null,
    name text not null,
    ord integer not null,
    batch integer not null,
    status text not null default 'pending',
    total integer,
    succeeded integer not null default 0,
    failed integer not null default 0,
    skipped integer not null default 0,
    result text,
    failure text,
    started_ms integer,
    duration_ms integer not null default 0,
    stale integer not null default 0,
    reading integer not null default 0,
    reordered integer not null default 0,
    note text,
    running integer not null default 0,
    unique (run, name)
) strict;

create table unit (
    id integer primary key,
    key text not null,
    pos integer,
    status integer not null,
    attempts integer not null,
    base integer not null default 0,
    doubts integer not null default 0,
    reading integer not null default 0,
    handled integer not null default 1,
    duration_us integer not null default 0,
    started_ms integer not null default 0,
    worker text not null default '',
    note text not null default '',
    members text,
    value text,
    result text,
    failure text,
    handler_failure text,
    gone integer,
    due_ms integer not null default 0
) strict;

create index unit_open on unit (status) where status <> 2;

create index unit_placeless on unit (pos) where pos is null;

create table claim (
    step integer not null,
    id integer not null,
    attempt integer not null,
    units text not null,
    primary key (step, id)
) strict, without rowid;

create table attempt (
    unit integer not null,
    attempt integer not null,
    failure text not null,
    started_ms integer not null,
    duration_us integer not null,
    worker text not null,
    primary key (unit, attempt)
) strict;

create table log (
    unit integer not null,
    attempt integer not null,
    text text not null,
    primary key (unit, attempt)
) strict;

create table sample (
    run text not null,
    at_ms integer not null,
    cpu_percent real not null,
    rss_bytes integer not null,
    descriptors integer not null,
    processes integer not null,
    units_per_s real not null,
    p50_us integer not null,
    p95_us integer not null,
    p99_us integer not null,
    primary key (run, at_ms)
) strict, without rowid;

create table running (
    step integer not null,
    seq integer not null,
    pos integer not null,
    key text not null,
    attempt integer not null,
    started_ms integer not null,
    worker text not null,
    stdout text not null,
    stderr text not null,
    primary key (step, seq)
) strict, without rowid;

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
