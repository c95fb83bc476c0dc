"""concurrent.futures.ProcessPoolExecutor.map with chunks, results thrown away: pool.py WORK COUNT WORKERS CHUNK [FILE]"""

import sys
from concurrent.futures import ProcessPoolExecutor

import work

if __name__ == "__main__":
    name, count, workers, chunk = sys.argv[1], *map(int, sys.argv[2:5])
    items = open(sys.argv[5]) if len(sys.argv) > 5 else range(count)  # noqa: SIM115
    with ProcessPoolExecutor(workers) as pool:
        done = sum(1 for _ in pool.map(getattr(work, name), items, chunksize=chunk))
    assert done == count, done
