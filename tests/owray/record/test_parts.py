"""Parts: Parquet that holds what the journal held."""

import fcntl
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import ManualClock, add, new_run, ok, planned_rows, recipe, record

from owray.record.journal import Header, Recorder
from owray.record.layout import ARROW_SCHEMA, NO_ID, NULL_8, NULL_16, NULL_32, NULL_64, PACKED_FIELDS, Outcome
from owray.record.parts import BeingConverted, Part, convert, convert_closed

HEADER = Header("r", 3, 4, "0")
NULL = {"q": NULL_64, "i": NULL_32, "h": NULL_16, "b": NULL_8}
TEXTS = ("container", "error", "extra")


def converted(folder, rows, plan=None):
    """The part made of these rows, as dictionaries."""
    recorder = Recorder(folder / "journal", HEADER, ManualClock())
    for row in rows:
        add(recorder, row)
    recorder.close()
    (part,) = convert_closed(folder / "journal", folder / "parts", plan or recipe())
    return pq.read_table(part.path, partitioning=None)


def test_a_part_has_the_columns_of_the_schema_and_says_its_version(tmp_path):
    table = converted(tmp_path, [ok(0, 0)])
    assert table.schema.equals(ARROW_SCHEMA)
    assert table.schema.metadata[b"owray_schema"] == b"1"


def test_a_row_becomes_its_columns(tmp_path):
    row = ok(5, 50_000, entry=1) | {"extra": '{"mb_s": 3}'}
    (read,) = converted(tmp_path, [row]).to_pylist()
    expected = {name: value for name, value in row.items() if name not in {"entry", "outcome", "checked", "censored", "conn_reused"}}
    assert {name: read[name] for name in expected} == expected
    names = {name: read[name] for name in ("stream", "phase", "workload", "action", "size", "outcome")}
    assert names == {
        "stream": "main",
        "phase": "measure",
        "workload": "genomics",
        "action": "align",
        "size": "small",
        "outcome": "ok",
    }
    assert (read["invoker"], read["checked"], read["censored"], read["conn_reused"]) == (3, True, False, True)
    nothing = ("held_us", "connect_us", "init_ms", "error", "attempt", "store_lag_ms")
    assert [read[name] for name in nothing] == [None] * len(nothing)


def test_a_call_without_any_reply_is_all_nulls_but_what_was_planned(tmp_path):
    (read,) = converted(tmp_path, [{"seq": 1, "intended_us": 10, "entry": 0, "outcome": Outcome.LOST}]).to_pylist()
    told = {name for name, value in read.items() if value is not None}
    assert told == {"seq", "invoker", "stream", "phase", "workload", "action", "size", "intended_us", "outcome"}


def test_minus_one_and_zero_are_values_and_no_nulls(tmp_path):
    (read,) = converted(tmp_path, [ok(0, 0) | {"wait_ms": -1, "lag_us": 0, "init_ms": 0}]).to_pylist()
    assert (read["wait_ms"], read["lag_us"], read["init_ms"]) == (-1, 0, 0)


def test_calls_due_before_the_warm_up_ends_are_flagged_not_dropped(tmp_path):
    plan = recipe(warmup_s=0.5)
    table = converted(tmp_path, [ok(0, 499_999), ok(1, 500_000)], plan)
    assert table["phase"].to_pylist() == ["warmup", "measure"]


def test_rows_are_sorted_by_intended_time_whatever_the_order_of_their_ends(tmp_path):
    table = converted(tmp_path, [ok(seq, seq * 10) for seq in (4, 0, 3, 1, 2)])
    assert table["seq"].to_pylist() == [0, 1, 2, 3, 4]


numbers = {
    "q": st.integers(-(1 << 63), (1 << 63) - 1),
    "i": st.integers(-(1 << 31), (1 << 31) - 1),
    "h": st.integers(-(1 << 15), (1 << 15) - 1),
}


@st.composite
def packed_rows(draw):
    row = {name: draw(numbers[code]) for name, code in PACKED_FIELDS if code in numbers and name not in TEXTS}
    flags = {name: draw(st.sampled_from([0, 1, NULL_8])) for name in ("checked", "censored", "conn_reused")}
    texts = {name: draw(st.none() | st.text(max_size=8)) for name in TEXTS}
    ids = {"activation_id": draw(st.sampled_from([NO_ID, bytes(range(16)), b"\x01" + bytes(15)]))}
    plan = {"seq": draw(st.integers(0, 1 << 62)), "intended_us": draw(st.integers(0, 1 << 62))}
    return row | plan | flags | texts | ids | {"entry": draw(st.integers(0, 1)), "outcome": draw(st.sampled_from(Outcome))}


@settings(max_examples=40, deadline=None)
@given(st.lists(packed_rows(), min_size=1, max_size=8))
def test_every_value_of_every_row_is_kept(tmp_path_factory, rows):
    read = converted(tmp_path_factory.mktemp("values"), rows).to_pylist()
    key = dict(PACKED_FIELDS)
    rows = sorted(rows, key=lambda row: (row["intended_us"], row["seq"]))
    assert len(read) == len(rows)
    for row, found in zip(rows, read, strict=True):
        for name, value in row.items():
            if name == "entry":
                assert found["action"] == ("noop", "align")[value]
            elif name == "outcome":
                assert found["outcome"] == value.label
            elif name == "activation_id":
                assert found[name] == (None if value == NO_ID else value)
            elif name in TEXTS:
                assert found[name] == value
            else:
                assert found[name] == (None if value == NULL[key[name]] else value)


def test_equal_names_of_two_entries_are_one_name(tmp_path):
    entries = recipe().entries
    plan = recipe(entries=(entries[0], entries[1], entries[0]))
    table = converted(tmp_path, [ok(0, 0, 0), ok(1, 1, 2)], plan)
    assert table["action"].to_pylist() == ["noop", "noop"]


def test_the_journal_goes_when_the_part_is_there(tmp_path):
    converted(tmp_path, [ok(0, 0)])
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["part-invoker-3-0.parquet"]
    assert not list((tmp_path / "journal").glob("*.journal*"))


def test_converting_again_after_a_crash_replaces_the_part(tmp_path):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    (journal,) = folder.journal_files()
    content = journal.read_bytes()
    for _ in range(2):  # the second time as if the process had been killed between the part's renaming and the journal's deletion
        journal.write_bytes(content)
        convert(journal, folder.calls("0"), recipe())
    assert sum(pq.read_metadata(part).num_rows for part in folder.parts()) == 100


def test_a_torn_journal_gives_a_part_and_says_what_was_left_over(tmp_path):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    (journal,) = folder.journal_files()
    journal.write_bytes(journal.read_bytes() + b"OWRB torn")
    part = convert(journal, folder.calls("0"), recipe())
    assert (part.rows, part.left_over_bytes) == (100, 9)


def test_a_journal_without_a_whole_block_gives_no_part(tmp_path):
    journal = tmp_path / "invoker-0-0.journal.open"
    journal.write_bytes(b'{"owray_')
    part = convert(journal, tmp_path / "parts", recipe())
    assert (part.path, part.rows, part.left_over_bytes) == (None, 0, 8)
    assert not journal.exists()


def test_rows_behind_a_damaged_block_are_kept_and_none_bears_a_wrong_name(tmp_path):
    """The second of three blocks is damaged: it brought one container, one error and one extra, and the rows behind it name them."""
    clock = ManualClock()
    recorder = Recorder(tmp_path / "journal", HEADER, clock)
    ends = []
    for first, name in ((0, "one"), (2, "two"), (4, "three")):
        told = {"container": name, "error": name, "extra": name}
        again = {"container": "two", "error": "two"} if name == "three" else {}
        add(recorder, ok(first, first) | told)
        add(recorder, ok(first + 1, first + 1) | {"container": "one", "error": "one"} | again)
        recorder.tick(clock.pass_ms(250))
        ends.append(next((tmp_path / "journal").glob("*.open")).stat().st_size)
    recorder.close()
    (journal,) = (tmp_path / "journal").glob("*.journal")
    content = bytearray(journal.read_bytes())
    content[ends[1] - 1] ^= 1
    journal.write_bytes(content)
    part = convert(journal, tmp_path / "parts", recipe())
    assert (part.rows, part.left_over_bytes) == (4, ends[1] - ends[0])
    read = pq.read_table(part.path, columns=["seq", *TEXTS], partitioning=None).to_pylist()
    assert [tuple(row.values()) for row in read] == [
        (0, "one", "one", "one"),
        (1, "one", "one", None),
        (4, "three", "three", "three"),
        (5, None, "other", None),
    ]


@settings(max_examples=60, deadline=None)
@given(
    blocks=st.lists(st.lists(st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 3), min_size=1, max_size=3), max_size=5), data=st.data()
)
def test_whichever_blocks_are_lost_a_text_is_the_right_one_or_none(tmp_path_factory, blocks, data):
    folder = tmp_path_factory.mktemp("lost")
    clock = ManualClock()
    recorder = Recorder(folder / "journal", HEADER, clock)
    add(recorder, ok(0, 0))
    recorder.tick(clock.pass_ms(250))
    (journal,) = (folder / "journal").glob("*.open")
    told, kept = [(ok(0, 0)["container"], None, None)], [journal.read_bytes()]
    for rows in blocks:
        size = journal.stat().st_size
        for texts in rows:
            add(recorder, ok(len(told), len(told)) | dict(zip(TEXTS, texts, strict=True)))
            told.append(texts)
        recorder.tick(clock.pass_ms(250))
        kept.append(journal.read_bytes()[size:])
    recorder.close()
    lost = data.draw(st.sets(st.integers(1, max(1, len(blocks)))))
    (journal,) = (folder / "journal").glob("*.journal")
    journal.write_bytes(b"".join(b"damaged" if number in lost else block for number, block in enumerate(kept)))
    part = convert(journal, folder / "parts", recipe())
    read = pq.read_table(part.path, columns=["seq", *TEXTS], partitioning=None).to_pylist()
    numbers = [0, *(number for number, rows in enumerate(blocks, 1) for _ in rows)]
    assert [row["seq"] for row in read] == [seq for seq, number in enumerate(numbers) if number not in lost]
    for row in read:
        container, error, extra = told[row["seq"]]
        assert row["container"] in {container, None}
        assert row["error"] == error or (error is not None and row["error"] == "other")
        assert row["extra"] == extra  # it is its own row's alone, and came in the same block
        assert lost or row["container"] == container


def test_an_open_journal_is_left_to_its_invoker(tmp_path):
    folder = new_run(tmp_path)
    recorder = record(folder, planned_rows(recipe()))
    recorder.tick(ManualClock().pass_ms(1000))
    assert convert_closed(folder.journals("0"), folder.calls("0"), recipe()) == []
    recorder.close()
    assert len(convert_closed(folder.journals("0"), folder.calls("0"), recipe())) == 1


def test_a_failed_conversion_leaves_the_journal_and_no_part(tmp_path):
    folder = new_run(tmp_path)
    record(folder, [ok(0, 0, entry=9)]).close()  # an entry that the recipe does not have
    (journal,) = folder.journal_files()
    with pytest.raises(IndexError):
        convert(journal, folder.calls("0"), recipe())
    assert journal.exists()
    assert not list(folder.calls("0").iterdir())


def test_a_journal_that_another_process_converts_is_left_to_it(tmp_path):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    (journal,) = folder.journal_files()
    with journal.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BeingConverted, match=r"invoker-0-0\.journal is being turned into a part"):
            convert(journal, folder.calls("0"), recipe())
        assert not folder.parts()
    assert convert(journal, folder.calls("0"), recipe()).rows == 100


def test_a_journal_that_another_process_has_just_converted_is_nothing_to_do(tmp_path, monkeypatch):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    (journal,) = folder.journal_files()
    lock = fcntl.flock

    def after_the_other(descriptor, operation):
        journal.unlink(missing_ok=True)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", after_the_other)
    nothing = Part(None, 0, 0)
    assert convert(journal, folder.calls("0"), recipe()) == nothing  # it went when it was open here already
    assert convert(journal, folder.calls("0"), recipe()) == nothing  # it was gone before
    assert not folder.parts()


def test_a_large_part_has_row_groups_that_can_be_skipped_by_time(tmp_path):
    plan = recipe(rps=20_000, duration_s=7)
    folder = new_run(tmp_path, plan)
    record(folder, planned_rows(plan)).close()
    (part,) = convert_closed(folder.journals("0"), folder.calls("0"), plan)
    metadata = pq.read_metadata(part.path)
    assert metadata.num_row_groups > 1
    place = ARROW_SCHEMA.names.index("intended_us")
    bounds = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    assert all(one.max <= other.min for one, other in pairwise(bounds))
    assert pa.compute.sum(pq.read_table(part.path, columns=["seq"])["seq"]).as_py() == sum(range(140_000))
