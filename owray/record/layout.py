"""The row: one planned call, as the invoker packs it and as Parquet holds it.

This page is the schema. A packed row (`ROW`) has a fixed size and holds what the invoker learns of a call; names (errors, containers,
extras) are codes into the journal's string table, and what is the same for a whole journal (invoker, run) is in its header. Null is the
least value of the field's type, never -1: every other number can occur. `ARROW_SCHEMA` is what a part holds.

Time columns are microseconds from one monotonic clock per invoker, cut at whole microseconds from t0, so that they add up exactly:

    response = lag + held + connect + service
"""

from __future__ import annotations

import struct
from enum import IntEnum

import pyarrow as pa

SCHEMA_VERSION = 1

NULL_8, NULL_16, NULL_32, NULL_64 = (-(1 << (bits - 1)) for bits in (8, 16, 32, 64))
NO_ID = bytes(16)
"""The packed activation id of a call that has none."""

PACKED_FIELDS: tuple[tuple[str, str], ...] = (
    ("seq", "q"),
    ("intended_us", "q"),
    ("lag_us", "q"),
    ("held_us", "q"),
    ("connect_us", "q"),
    ("ttfb_us", "q"),
    ("service_us", "q"),
    ("ow_start_ms", "q"),
    ("activation_id", "16s"),
    ("wait_ms", "i"),
    ("init_ms", "i"),
    ("duration_ms", "i"),
    ("container", "i"),
    ("container_calls", "i"),
    ("gen_us", "i"),
    ("compute_us", "i"),
    ("io_us", "i"),
    ("error", "i"),
    ("extra", "i"),
    ("conn", "i"),
    ("bytes_out", "i"),
    ("bytes_in", "i"),
    ("http_status", "h"),
    ("entry", "h"),
    ("outcome", "b"),
    ("checked", "b"),
    ("censored", "b"),
    ("conn_reused", "b"),
)
"""Name and struct code of each field of a packed row. `entry` is an index into the recipe's entries; the flags are 0, 1 or NULL_8."""

ROW = struct.Struct("<" + "".join(code for _, code in PACKED_FIELDS))


class Outcome(IntEnum):
    """What became of a call. The names, in lower case, are what rows hold; the numbers are what packed rows hold."""

    OK = 0
    WRONG = 1
    APPLICATION_ERROR = 2
    DEVELOPER_ERROR = 3
    PLATFORM_ERROR = 4
    THROTTLED_RATE = 5
    THROTTLED_CONCURRENCY = 6
    THROTTLED = 7
    UNAVAILABLE = 8
    ACCEPTED = 9
    REJECTED = 10
    TIMEOUT = 11
    CONNECT_ERROR = 12
    CONNECTION_LOST = 13
    PROTOCOL_ERROR = 14
    LOST = 15
    UNSENT = 16

    @property
    def label(self) -> str:
        return self.name.lower()


_NAME = pa.dictionary(pa.int32(), pa.string())

ARROW_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("invoker", pa.int16(), nullable=False),
        pa.field("stream", _NAME),
        pa.field("phase", _NAME),
        pa.field("workload", _NAME),
        pa.field("action", _NAME),
        pa.field("size", _NAME),
        pa.field("intended_us", pa.int64(), nullable=False),
        pa.field("lag_us", pa.int64()),
        pa.field("held_us", pa.int64()),
        pa.field("connect_us", pa.int64()),
        pa.field("ttfb_us", pa.int64()),
        pa.field("service_us", pa.int64()),
        pa.field("outcome", _NAME, nullable=False),
        pa.field("http_status", pa.int16()),
        pa.field("error", _NAME),
        pa.field("activation_id", pa.binary(16)),
        pa.field("ow_start_ms", pa.int64()),
        pa.field("wait_ms", pa.int32()),
        pa.field("init_ms", pa.int32()),
        pa.field("duration_ms", pa.int32()),
        pa.field("container", _NAME),
        pa.field("container_calls", pa.int32()),
        pa.field("gen_us", pa.int32()),
        pa.field("compute_us", pa.int32()),
        pa.field("io_us", pa.int32()),
        pa.field("checked", pa.bool_()),
        pa.field("censored", pa.bool_()),
        pa.field("conn", pa.int32()),
        pa.field("conn_reused", pa.bool_()),
        pa.field("bytes_out", pa.int32()),
        pa.field("bytes_in", pa.int32()),
        pa.field("attempt", pa.int16()),
        pa.field("store_lag_ms", pa.int32()),
        pa.field("extra", pa.string()),
    ],
    metadata={b"owray_schema": str(SCHEMA_VERSION).encode()},
)
"""Columns of a part, in the order of docs/design.md. Parts are sorted by intended_us."""
