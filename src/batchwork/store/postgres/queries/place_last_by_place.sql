select max(pos) from unit where id >> 40 = {first}::bigint >> 40 and pos is not null
