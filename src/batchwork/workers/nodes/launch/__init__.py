"""What starts agents: a command of the user, a Dask cluster, a Ray cluster. Each only finds machines and starts one process on them."""
