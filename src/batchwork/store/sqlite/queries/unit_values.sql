-- Seqs and values of units, by their seqs in a JSON list. ?1 is the id of seq 0.
select part.value, coalesce(unit.value, unit.key)
from json_each(?2) as part cross join unit on unit.id = ?1 + part.value
