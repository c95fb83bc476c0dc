"""joblib with batch_size=auto, results thrown away: joblib_map.py WORK COUNT WORKERS [FILE]; a file's lines are read by json.loads here"""

import json
import sys

import work
from joblib import Parallel, delayed

if __name__ == "__main__":
    name, count, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    items = map(json.loads, open(sys.argv[4])) if len(sys.argv) > 4 else range(count)  # noqa: SIM115
    do = delayed(getattr(work, name))
    done = Parallel(n_jobs=workers, batch_size="auto")(do(item) for item in items)
    assert len(done) == count, len(done)
