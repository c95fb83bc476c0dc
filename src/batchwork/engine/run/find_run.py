"""Finding the run that a person means in a store. Needed by those who only look, so it imports nothing that runs."""

from __future__ import annotations

from batchwork.errors import RunRefused
from batchwork.model import RunRecord
from batchwork.ports import Store
from batchwork.text.spelling import suggest


def find_run(store: Store, run: str | None) -> RunRecord:
    """The run of that id, or the latest. Raises RunRefused."""
    if run is not None:
        record = store.run(run)
        if record is None:
            near = suggest(run, [known.id for known in store.runs()])
            raise RunRefused(
                f"there is no run `{run}` in {store.describe()}",
                " ".join(filter(None, (near, "`batchwork runs` lists them; `--store` looks elsewhere"))),
            )
        return record
    runs = store.runs()
    if not runs:
        raise RunRefused(
            f"there is no run in {store.describe()}",
            "`batchwork run WORKFLOW` starts one; be in the folder where it was started, or name its `--store`",
        )
    return runs[0]
