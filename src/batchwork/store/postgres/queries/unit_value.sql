-- The values of units that were recorded without: a process died before it could say them.
update unit set value = part.value, members = part.members
from unnest($1::bigint[], $2::text[], $3::text[]) as part(id, value, members)
where unit.id = part.id and unit.value is null
