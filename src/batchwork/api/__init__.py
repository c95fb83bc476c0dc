"""batchwork from Python."""

from batchwork.api.calls import load, resume, retry_failed, run
from batchwork.api.finished import FinishedRun, StepOutcome
from batchwork.engine.run.results import Results

__all__ = ["FinishedRun", "Results", "StepOutcome", "load", "resume", "retry_failed", "run"]
