-- Of these units (a JSON list of seqs), those that are final. ?1 is the id of seq 0.
select unit.id - ?1 from json_each(?2) as part cross join unit on unit.id = ?1 + part.value where unit.status >= 2
