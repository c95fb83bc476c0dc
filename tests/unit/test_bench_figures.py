"""What the benchmarks make of their samples: medians and ratios, the table's text, the page that keeps it, the verdict on a change."""

from __future__ import annotations

from contest.figures import beside, own_figures, ratio, seconds, typical
from contest.table import BEGIN, END, When, markdown, merged, plain, read, rows
from contest.turns import Figures
from contest.verdict import change, lines
from contest.works import Contender, Sample, Way, Work, filled, part

WHEN = When("1 May 2026", 3)
OURS = Contender("batchwork", ("{batchwork}",))
PEER = Contender("joblib", ("{peers}", "j.py"), least=2.0)


def samples(*seconds: float, cpu: float = 1.0, others: float = 0.1) -> list[Sample]:
    """Runs of so many seconds; each took `cpu` times that of CPU."""
    return [Sample(each, each * cpu, 30, 60, 1.0, others, {"bytes an item": 20 * each}) for each in seconds]


def work(*peers: Contender, **asked: float) -> Work:
    return Work(
        "noop", "1,000 items", 1000, OURS, peers, {name.replace("_", " "): most for name, most in asked.items()}
    )


# ---------------------------------------------------------------- figures


def test_a_figure_is_the_median_or_the_best() -> None:
    taken = samples(3.0, 1.0, 9.0)
    assert typical(taken, seconds, Way()) == 3.0
    assert typical(taken, seconds, Way(best=True)) == 1.0


def test_a_ratio_is_the_median_over_pairs_that_ran_beside_each_other() -> None:
    ours, theirs = samples(1.0, 4.0, 1.0), samples(2.0, 8.0, 9.0)
    assert ratio(ours, theirs, seconds, Way()) == 2.0, "in the second round all took four times as long"
    assert ratio(ours, theirs, seconds, Way(best=True)) == 2.0
    assert ratio(ours, theirs[:1], seconds, Way()) == 2.0


def test_the_clock_decides_unless_others_were_at_work() -> None:
    fast, slow = samples(1.0, cpu=1.0), samples(3.0, cpu=0.5)
    assert beside(fast, slow, Way()).deciding == 3.0
    assert beside(samples(1.0, cpu=1.0, others=0.6), slow, Way()).deciding == 1.5


def test_figures_of_its_own_have_names() -> None:
    found = own_figures(work(), samples(1.0, 2.0, 3.0))
    assert found == {"ms": 2000, "ms an item": 2, "MiB itself": 30, "bytes an item": 40}


def test_a_share_of_the_items_is_never_too_few_to_see_anything() -> None:
    assert [part(count, 0.1) for count in (1_000_000, 1000, 100, 20, 1)] == [100_000, 100, 40, 20, 1]
    assert part(1000, 1.0) == 1000


def test_names_are_filled_in_and_other_braces_stay() -> None:
    assert filled("{base}{{ item }} {x}", {"base": "http://a/"}) == "http://a/{{ item }} {x}"


# ---------------------------------------------------------------- the table


def test_a_row_says_by_how_much_and_whether_that_was_asked() -> None:
    found = {"joblib": Figures(samples(3.0, 3.0)), "batchwork": Figures(samples(1.0, 1.0, cpu=2.0))}
    (row,) = rows(work(PEER), found, WHEN)
    assert row == (
        "1,000 items",
        "joblib",
        "333 items/s, CPU 3,000 µs, 60 MiB",
        "1,000 items/s, CPU 2,000 µs, 60 MiB",
        "3.00",
        "1.50",
        "≥ 2.00: met",
        "1 May 2026, 3 rounds, load 1.0, others 0.1 cores",
    )


def test_what_is_not_installed_is_a_row_and_no_error() -> None:
    found = {"joblib": Figures([], "joblib is not installed"), "batchwork": Figures(samples(1.0))}
    (row,) = rows(work(PEER), found, WHEN)
    assert row[1:3] == ("joblib", "joblib is not installed")
    assert row[4:7] == ("", "", "")


def test_a_run_of_batchwork_that_failed_is_said() -> None:
    (row,) = rows(work(PEER), {"joblib": Figures(samples(1.0)), "batchwork": Figures([], "ended with 1")}, WHEN)
    assert "ended with 1" in plain([row])


def test_limits_of_its_own_figures_have_rows() -> None:
    found = {"batchwork": Figures(samples(2.0))}
    table = rows(work(bytes_an_item=35.0, ms=2500.0), found, WHEN)
    assert [(row[3], row[6]) for row in table[1:]] == [
        ("40 bytes an item", "≤ 35: **not met**"),
        ("2,000 ms", "≤ 2500: met"),
    ]


def test_beside_what_arithmetic_allows_the_clock_decides_whatever_others_do() -> None:
    ideal = Contender("two, one after another", ideal_s=8.0, least=0.9)
    found = {ideal.name: Figures(samples(8.0)), "batchwork": Figures(samples(8.1, cpu=0.01, others=1.5))}
    (row,) = rows(work(ideal), found, WHEN)
    assert (row[2], row[4], row[5], row[6]) == ("8.00 s", "0.99", "", "≥ 0.90: met")


def test_runs_of_one_unit_are_told_in_milliseconds() -> None:
    start = Work("help", "help", 1, OURS, (), {}, way=Way(best=True, per_run=True))
    (row,) = rows(start, {"batchwork": Figures(samples(0.2, 0.09, cpu=0.5))}, WHEN)
    assert row[3] == "90 ms, CPU 45 ms"


def test_the_text_for_a_terminal_names_a_work_once() -> None:
    found = {"joblib": Figures(samples(3.0)), "batchwork": Figures(samples(1.0))}
    text = plain(rows(work(PEER, ms=5.0), found, WHEN))
    assert text.count("1,000 items:") == 1
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["joblib", "1,000"]


def test_a_page_keeps_the_rows_that_were_not_measured_again() -> None:
    def row(title: str, figure: str) -> tuple[str, ...]:
        return (title, "joblib", "1", figure, "2.00", "2.00", "", "1 May 2026")

    page = f"# Figures\n\n{BEGIN}\n{END}\n\nthe end\n"
    page = merged(page, [row("b", "1"), row("a", "1"), row("gone", "1")], ["a", "b", "gone"])
    page = merged(page, [row("b", "2")], ["a", "b"])
    assert read(page) == [row("a", "1"), row("b", "2")]
    assert page.startswith("# Figures\n")
    assert page.endswith(f"{END}\n\nthe end\n")
    assert merged(page, [row("b", "2")], ["a", "b"]) == page
    assert markdown([row("b", "2")]).splitlines()[2] in page


# ---------------------------------------------------------------- the comparison


def test_a_tenth_more_is_worse_and_a_tenth_less_is_better() -> None:
    before = samples(1.0, 1.0, 1.0)
    for now, said in (
        (samples(1.1, 1.2, 1.0), "WORSE"),
        (samples(1.09, 1.0, 1.2), ""),
        (samples(0.9, 0.9, 1.0), "better"),
    ):
        found = change("noop", before, now, Way())
        assert lines([found], [], 0.1)[1].endswith(said or f"{found.others:.1f}")
        assert found.is_worse(0.1) == (said == "WORSE")


def test_on_a_busy_machine_the_clock_is_believed_where_every_round_says_the_same() -> None:
    before, waits = samples(1.0, 1.0, 1.0, others=1.5), samples(1.2, 1.5, 1.3, cpu=0.8, others=1.5)
    assert change("resume", before, waits, Way()).is_worse(0.1)
    assert not change("resume", before[:2], waits[:2], Way()).is_worse(0.1), "two may agree by chance"
    assert not change("resume", before, [*waits[:2], *samples(1.0, cpu=0.8, others=1.5)], Way()).is_worse(0.1)


def test_the_clock_alone_is_not_believed_on_a_busy_machine() -> None:
    quiet = change("noop", samples(1.0, cpu=1.0), samples(1.5, cpu=0.7), Way())
    busy = change("noop", samples(1.0, 1.0, others=1.5), samples(1.5, 0.9, cpu=0.7, others=1.5), Way())
    assert quiet.is_worse(0.1)
    assert not busy.is_worse(0.1)


def test_the_comparison_ends_with_what_it_found() -> None:
    slower = change("noop", samples(1.0), samples(2.0), Way())
    same = change("http", samples(1.0), samples(1.0), Way())
    text = lines([slower, same], ["retry: before: ended with 2"], 0.1)
    assert text[1].split() == ["noop", "1.000", "2.000", "+100%", "1.000", "2.000", "+100%", "0.1", "WORSE"]
    assert text[-2:] == ["retry: before: ended with 2", "worse by 10% or more: noop"]
    assert lines([same], [], 0.1)[-1] == "nothing is worse by 10% or more"
