update unit set handled = 1, handler_failure = part.failure
from unnest($1::bigint[], $2::text[]) as part(id, failure) where unit.id = part.id
