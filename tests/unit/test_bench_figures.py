"""The arithmetic of the benchmark: spreads, ratios, reaches, quantiles."""

import pytest

from bench.figures import (
    Figure,
    Reach,
    Rule,
    Spread,
    busiest,
    median_by_name,
    quantile,
    rank_correlation,
    significant,
)


def test_a_ratio_compares_each_run_with_the_floors_run_beside_it() -> None:
    # The machine was twice as fast in the second round, for both.
    product, floor = Spread((100, 200, 90)), Spread((200, 400, 180))

    assert product.per(floor).runs == (0.5, 0.5, 0.5)


def test_a_spread_knows_its_middle_and_its_ends() -> None:
    spread = Spread((3, 1, 2))

    assert (spread.median, spread.low, spread.high) == (2, 1, 3)


@pytest.mark.parametrize(
    ("rule", "number", "product", "floor", "is_met"),
    [
        (Rule.TIMES_AT_LEAST, 0.75, 75, 100, True),
        (Rule.TIMES_AT_LEAST, 0.75, 74, 100, False),
        (Rule.TIMES_AT_MOST, 2, 200, 100, True),
        (Rule.TIMES_AT_MOST, 2, 201, 100, False),
        (Rule.ABOVE_AT_MOST, 80, 90, 10, True),
        (Rule.ABOVE_AT_MOST, 80, 91, 10, False),
        (Rule.AT_MOST, 20, 20, None, True),
        (Rule.AT_MOST, 20, 21, None, False),
        (Rule.TIMES_AT_MOST, 2, 1, None, None),
    ],
)
def test_a_reach_is_met_or_not(rule: Rule, number: float, product: float, floor: float | None, is_met: bool) -> None:
    beside = Spread((floor,)) if floor is not None else None

    assert Reach(rule, number).is_met(Spread((product,)), beside) is is_met


def test_one_bad_run_of_five_does_not_decide_over_a_reach() -> None:
    product, floor = Spread((80, 81, 10, 79, 80)), Spread((100,) * 5)

    assert Reach(Rule.TIMES_AT_LEAST, 0.75).is_met(product, floor) is True


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]

    assert (quantile(values, 0), quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)) == (
        1,
        51,
        100,
        100,
    )


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("arrived", "correlation"),
    [
        ([10.0, 11.0, 12.5, 90.0], 1),
        ([90.0, 12.5, 11.0, 10.0], -1),
        # The first and the second changed places.
        ([11.0, 10.0, 12.0, 13.0], 0.8),
        # By chance: neither early nor late ones lead.
        ([11.0, 13.0, 10.0, 12.0], 0),
    ],
)
def test_a_rank_correlation_says_who_goes_first(arrived: list[float], correlation: float) -> None:
    assert rank_correlation([1.0, 2.0, 3.0, 4.0], arrived) == pytest.approx(correlation)


def test_equal_values_share_their_rank() -> None:
    assert rank_correlation([1.0, 1.0, 2.0, 2.0], [5.0, 6.0, 7.0, 8.0]) == pytest.approx(0.8944, abs=0.0001)


def test_the_busiest_window_is_one_of_the_calendar() -> None:
    # Three within one second, on two sides of its edge.
    instants = [119.2, 119.8, 120.1, 121.0, 121.5, 121.9]

    assert (busiest(instants, 1), busiest(instants, 60), busiest([], 1)) == (3, 4, 0)


def test_costs_are_the_middle_of_all_runs_by_process() -> None:
    runs = [{"gapi": 1.0, "pulse": 3.0}, {"gapi": 2.0, "pulse": 3.0}, {"gapi": 9.0}]

    assert median_by_name(runs) == {"gapi": 2.0, "pulse": 3.0}


def test_no_figure_pretends_to_more_digits_than_it_has() -> None:
    assert [significant(value) for value in (123456.7, 0.000123456, 0.0)] == [123500.0, 0.0001235, 0.0]


def test_a_figure_tells_everything_that_a_reader_needs() -> None:
    figure = Figure("orders", "1/s", Spread((300, 320)), Spread((400, 400)), Reach(Rule.TIMES_AT_LEAST, 0.75))

    assert figure.as_json() == {
        "name": "orders",
        "unit": "1/s",
        "product": {"median": 310.0, "min": 300.0, "max": 320.0, "runs": [300.0, 320.0]},
        "floor": {"median": 400.0, "min": 400.0, "max": 400.0, "runs": [400.0, 400.0]},
        "ratio": {"median": 0.775, "min": 0.75, "max": 0.8, "runs": [0.75, 0.8]},
        "reach": "at least 0.75 x floor",
        "is_reached": True,
        "runs": 2,
    }
