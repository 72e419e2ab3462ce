"""How figures are written for people."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.texts import milliseconds, on_its_side, rounded, size


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (0.004, "0.00"), (0.0234, "0.02"), (9.994, "9.99"), (9.996, "10.0"), (12.02, "12.0"), (99.96, "100"), (1234.5, "1,234")],
)
def test_three_digits_count_and_no_more_than_two_decimals(value, text):
    assert rounded(value) == text


@given(st.floats(0.001, 1e9))
def test_rounding_moves_a_value_by_less_than_one_in_a_hundred(value):
    assert float(rounded(value, most_places=9).replace(",", "")) == pytest.approx(value, rel=0.005)


@pytest.mark.parametrize(("time_us", "text"), [(None, "-"), (0, "0 ms"), (12_000, "12 ms"), (19, "0.02 ms"), (1_052_300, "1,052 ms")])
def test_a_time_has_its_unit_and_no_zeros_that_say_nothing(time_us, text):
    assert milliseconds(time_us) == text


@pytest.mark.parametrize(("time_us", "text"), [(10_004, "10.004 ms"), (10_000, "10 ms"), (9_999, "9.999 ms"), (12_020, "12 ms")])
def test_a_time_stays_on_its_side_of_the_bound_it_is_told_with(time_us, text):
    assert milliseconds(time_us, 10_000) == text


@given(st.decimals(0, 100, places=6), st.decimals(0, 100, places=6))
def test_a_value_is_never_rounded_across_its_bound(value, bound):
    assert Decimal(on_its_side(value, bound, 0)).compare(bound) == value.compare(bound)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (70_123, "70.1 kB"), (1.2e9, "1.2 GB"), (5e15, "5,000 TB")]
)
def test_sizes_are_in_powers_of_ten(count, text):
    assert size(count) == text
