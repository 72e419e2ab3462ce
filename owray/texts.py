"""How figures are written for people, in all of owray: three digits that count, and no more decimals than mean anything."""

from __future__ import annotations

from decimal import Decimal

MS_PLACES = 2
"""Of times in milliseconds: what lies below 10 us is noise."""

_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_MOST_PLACES = 15


def rounded(value: float, most_places: int = MS_PLACES) -> str:
    """Three digits that count, or all before the decimal point; with so many decimals at most. 12.02 is 12.0, and 1234.5 is 1,234."""
    return f"{value:,.{places(value, most_places)}f}"


def places(value: float | Decimal, most_places: int) -> int:
    """How many decimals `rounded` leaves."""
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the value as it is rounded: 9.999 is 10.0
    return min(max(2 - exponent, 0), most_places)


def on_its_side(value: Decimal, bound: Decimal, least_places: int) -> str:
    """With so many decimals, or with more where the value would else seem to lie on another side of the bound."""
    shown = least_places
    while shown < _MOST_PLACES and round(value, shown).compare(bound) != value.compare(bound):
        shown += 1
    return without_zeros(f"{round(value, shown):,f}")


def milliseconds(time_us: float | None, bound_us: float | None = None) -> str:
    """A time in microseconds: 12 ms, 0.02 ms, 1,052 ms; a dash for None. It stays on its side of a bound that is told with it."""
    if time_us is None:
        return "-"
    if bound_us is None:
        return f"{without_zeros(rounded(time_us / 1000))} ms"
    time_ms, bound_ms = Decimal(repr(time_us)) / 1000, Decimal(repr(bound_us)) / 1000
    return f"{on_its_side(time_ms, bound_ms, places(time_ms, MS_PLACES))} ms"


def size(count_bytes: float) -> str:
    """In powers of ten: 812 bytes, 70.1 kB, 1.2 GB."""
    for unit_bytes, unit in _SIZES:
        if count_bytes >= unit_bytes:
            return f"{without_zeros(rounded(count_bytes / unit_bytes))} {unit}"
    return f"{count_bytes:,.0f} bytes"


def without_zeros(text: str) -> str:
    """A number without the zeros at its end that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text
