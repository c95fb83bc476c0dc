insert into run (
    id, name, file, workflow, params, fingerprint, status, created_ms, ended_ms, durability, redo_window, options
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do nothing
