"""Executors: the coordinator's side of workers, each kind behind the Executor port."""
