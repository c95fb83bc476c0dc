-- A known unit stands at another position in a reading; if it was gone, its former status comes back.
update unit set pos = part.pos, reading = part.reading, status = coalesce(gone, status), gone = null
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as part(id, pos, reading) where unit.id = part.id
