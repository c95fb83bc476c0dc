insert into run (
    id, name, file, workflow, params, fingerprint, status, created_ms, ended_ms, durability, redo_window, options
) values (
    $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint, $10::text, $11::text, $12::text
)
on conflict (id) do nothing
