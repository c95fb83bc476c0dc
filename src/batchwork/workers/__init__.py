"""Workers: for each kind the coordinator's side and the program that it speaks to, in one room."""
