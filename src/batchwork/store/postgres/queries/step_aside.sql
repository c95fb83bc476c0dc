-- Steps that the workflow no longer has keep what they did, and have a negative place: nobody is shown them.
update step set ord = -1 - ord where run = $1::text and ord >= 0
