"""What samples say: medians, ratios of runs that were made beside each other, whether what was asked is met. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from contest.works import Sample, Way, Work

BUSY = 0.5
"""Where others use more cores than this, the clock says more of them than of what is measured: the ratio of CPU time decides."""

Of = Callable[[Sample], float]


def seconds(sample: Sample) -> float:
    return sample.seconds


def cpu(sample: Sample) -> float:
    return sample.cpu_s


def typical(samples: Sequence[Sample], of: Of, way: Way) -> float:
    """The median, or the best."""
    values = [of(sample) for sample in samples]
    return min(values) if way.best else statistics.median(values)


def ratio(samples: Sequence[Sample], others: Sequence[Sample], of: Of, way: Way) -> float:
    """How many times as much the others took: the median over pairs that ran beside each other, or best by best."""
    if way.best:
        return typical(others, of, way) / typical(samples, of, way)
    return statistics.median([of(other) / of(sample) for sample, other in zip(samples, others, strict=False)])


def load(samples: Sequence[Sample]) -> float:
    """The load of the machine, as the median of its figures after each run."""
    return statistics.median([sample.load for sample in samples])


def others(samples: Sequence[Sample]) -> float:
    """How many cores were used by others meanwhile, as the median."""
    return statistics.median([sample.others for sample in samples])


@dataclass(frozen=True, slots=True)
class Beside:
    """How many times as fast as another: by the clock and by CPU time, while others used so many cores."""

    clock: float
    cpu: float
    others: float

    @property
    def deciding(self) -> float:
        """The ratio that counts."""
        return self.cpu if self.others > BUSY else self.clock


def beside(ours: Sequence[Sample], peers: Sequence[Sample], way: Way) -> Beside:
    """Ours beside a peer: 2.0 is twice as fast as the peer."""
    return Beside(
        ratio(ours, peers, seconds, way),
        ratio(ours, peers, cpu, way),
        max(others(ours), others(peers)),
    )


def own_figures(work: Work, samples: Sequence[Sample]) -> Mapping[str, float]:
    """Figures of batchwork for which there may be a limit, by name."""
    took = typical(samples, seconds, work.way)
    found = {
        "ms": took * 1000,
        "ms an item": took * 1000 / work.count,
        "MiB itself": max(sample.rss_main for sample in samples),
    }
    for name in samples[0].figures:
        found[name] = statistics.median([sample.figures[name] for sample in samples])
    return found
