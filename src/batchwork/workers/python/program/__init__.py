"""The program of a Python worker: standard library only, any Python from 3.8 on, nothing of batchwork imported.

It is started by its folder, as a package named `batchwork_worker`, so its modules import each other relatively and it
runs where batchwork is not installed.
"""
