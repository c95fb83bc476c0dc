select id, name, file, workflow, params, fingerprint, status, created_ms, ended_ms, durability, redo_window, options
from run order by created_ms desc, number desc
