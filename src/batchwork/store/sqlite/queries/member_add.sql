-- The keys of the members of these batches (a JSON list of ids).
insert into temp.member (key, unit)
select part.value, unit.id
from json_each(?) as wanted cross join unit on unit.id = wanted.value cross join json_each(unit.members) as part
