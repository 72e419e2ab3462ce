"""Whether a result is right, by what the user says of it: a value, or a JSON Schema.

For functions that do not check themselves. A check is compiled once and belongs to the requests that it is asked for: of all other calls
nothing more is done than before. It looks at what was answered well, at nothing else:

    --expect         an object matches an object that has all its keys with matching values, at any depth; all else has to be equal,
                     numbers as JSON has them: 1 is 1.0, and neither is true
    --expect-schema  JSON Schema, draft 4 to 2020-12, as its `$schema` says, 2020-12 by default; nothing is fetched for it

A result that does not pass is `wrong`; its error says where it differs, not what stood there: a thousand values are one error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import msgspec

from owray.plan.mix import Check
from owray.record.layout import Outcome
from owray.wire.outcome import UNREADABLE, Header, Read, Reading, error_template, result_of

Complaint = Callable[[Any], str | None]
"""What is wrong with a result; None where nothing is."""


class CheckError(ValueError):
    """A check that cannot be made; the text says why."""


def checking(read: Read, check: Check) -> Read:
    """Reads as `read` does, and checks what was answered well. Raises CheckError."""
    complain = complaint_of(check)

    def read_and_check(status: int, body: bytes, header: Header, expected: str | None) -> Reading:
        reading = read(status, body, header, expected)
        if reading.outcome != Outcome.OK:
            return reading
        problem = _problem(complain, result_of(body))
        if problem is None:
            return reading._replace(checked=True)
        return reading._replace(outcome=Outcome.WRONG, error=error_template(problem), checked=False)

    return read_and_check


def _problem(complain: Complaint, result: bytes | msgspec.Raw) -> str | None:
    try:
        decoded = msgspec.json.decode(result)
    except UNREADABLE:
        return "the result is no JSON"
    try:
        return complain(decoded)
    except (RecursionError, ValueError):  # jsonschema_rs, of what is nested beyond its limit
        return "the result is nested too deep to be checked"


def complaint_of(check: Check) -> Complaint:
    """The check, compiled. Raises CheckError where its texts are no JSON, or no schema."""
    complaints = []
    if check.expect is not None:
        complaints.append(_expecting(_json(check.expect)))
    if check.schema is not None:
        complaints.append(_fitting(check.schema))

    def complain(result: Any) -> str | None:
        for each in complaints:
            problem = each(result)
            if problem is not None:
                return problem
        return None

    return complaints[0] if len(complaints) == 1 else complain


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (*UNREADABLE, UnicodeEncodeError) as error:
        raise CheckError(f"it is no JSON: {error}") from None


def _expecting(wanted: Any) -> Complaint:
    def complain(result: Any) -> str | None:
        difference = next(_differences(wanted, result, ""), None)
        return None if difference is None else f"the result is not the expected one: {difference}"

    return complain


def _differences(wanted: Any, found: Any, place: str) -> Iterator[str]:
    """Where a value does not match, in words; of an object's keys in the order in which they are wanted."""
    if not isinstance(wanted, dict):
        if not _equal(wanted, found):
            yield f"it differs at {place or '/'}"
    elif not isinstance(found, dict):
        yield f"no object at {place or '/'}"
    else:
        for key, value in wanted.items():
            if key in found:
                yield from _differences(value, found[key], f"{place}/{key}")
            else:
                yield f"nothing at {place}/{key}"


def _equal(one: Any, other: Any) -> bool:
    """As JSON has it: for Python true is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _fitting(schema: str) -> Complaint:
    try:
        # A text is taken for JSON: a schema that is no JSON is refused with the place in it.
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:  # ValidationError is a ValueError
        raise CheckError(f"it is no JSON Schema: {' '.join(str(error).partition(_DETAILS)[0].split())}") from None

    def complain(result: Any) -> str | None:
        if validator.is_valid(result):
            return None
        first = next(iter(validator.iter_errors(result)), None)
        where = f": {_path(first.schema_path)} at {_path(first.instance_path)}" if first else ""
        return f"the result does not fit the schema{where}"

    return complain


_DETAILS = "\n\n"
"""What follows in an error of jsonschema_rs repeats the schema."""


def _path(steps: list[str | int]) -> str:
    return "/" + "/".join(map(str, steps))
