-- Values of units, in the order of their seqs in a JSON list. ?1 is the id of seq 0.
select coalesce(unit.value, unit.key)
from json_each(?2) as part cross join unit on unit.id = ?1 + part.value order by part.id
