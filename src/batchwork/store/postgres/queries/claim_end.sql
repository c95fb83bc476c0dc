delete from claim using unnest($1::bigint[], $2::bigint[]) as part(step, id)
where claim.step = part.step and claim.id = part.id
