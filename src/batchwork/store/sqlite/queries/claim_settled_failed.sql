-- Of these units (a JSON list of seqs), those whose attempt ?3 has failed. ?1 is the id of seq 0.
select attempt.unit - ?1
from json_each(?2) as part cross join attempt on attempt.unit = ?1 + part.value and attempt.attempt = ?3
