"""The journal: what was added can be read, whatever happened to the process or the disk."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import ManualClock, add, ok

from owray.record.journal import (
    BLOCK_ROWS,
    MOST_ERRORS,
    NOTHING_ATTEMPTED,
    OTHER_ERROR,
    ROTATE_AFTER_S,
    TICK_MS,
    Header,
    Journal,
    JournalError,
    Recorder,
    mark_is_held,
    read_mark,
)
from owray.record.layout import PACKED_FIELDS, ROW

HEADER = Header("20261123-111203-a7f2", 0, 1, "0")
FIELDS = [name for name, _ in PACKED_FIELDS]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def recorder(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    yield recorder
    recorder.close()


def journals(folder):
    return sorted(folder.glob("*.journal*"))


def rows_of(path):
    """All rows of a journal as dictionaries, their texts in place of codes; and the bytes left over."""
    journal = Journal(path)
    rows, texts = [], {}
    for block in journal.blocks():
        texts |= dict(enumerate(block.texts, block.texts_before))
        rows.extend(dict(zip(FIELDS, values, strict=True)) for values in ROW.iter_unpack(block.rows))
    for row in rows:
        for name in ("container", "error", "extra"):
            row[name] = texts.get(row[name])
    return rows, journal.left_over_bytes


def seqs_of(path):
    return [row["seq"] for row in rows_of(path)[0]]


def test_a_row_comes_back_as_it_was_added(tmp_path, recorder, clock):
    row = ok(7, 70_000) | {"error": "no route", "extra": '{"mb_s": 3}'}
    add(recorder, row)
    recorder.tick(clock.pass_ms(250))
    (read,), left_over = rows_of(journals(tmp_path)[0])
    assert {name: read[name] for name in row} == row
    assert left_over == 0


def test_nothing_is_written_before_a_tick(tmp_path, recorder):
    for seq in range(BLOCK_ROWS + 1):
        add(recorder, ok(seq, seq))
    assert not journals(tmp_path)
    assert recorder.rows == BLOCK_ROWS + 1


def test_a_row_is_on_disk_within_250_ms_if_ticks_come_on_time(tmp_path, recorder, clock):
    recorder.tick(clock.pass_ms(TICK_MS))
    add(recorder, ok(0, 0))
    for _ in range(250 // TICK_MS):
        recorder.tick(clock.pass_ms(TICK_MS))
    assert seqs_of(journals(tmp_path)[0]) == [0]


def test_rows_of_a_few_milliseconds_share_a_block(tmp_path, recorder, clock):
    for seq in range(10):
        add(recorder, ok(seq, seq))
        recorder.tick(clock.pass_ms(1))
    assert not journals(tmp_path)
    recorder.tick(clock.pass_ms(250))
    assert len(list(Journal(journals(tmp_path)[0]).blocks())) == 1


def test_a_container_counts_once_however_many_journals_name_it(recorder, clock):
    for fingerprint in ("c0ffee", "beef", "c0ffee"):
        recorder.container(fingerprint)
        recorder.error(f"error of {fingerprint}")
        add(recorder, ok(0, 0) | {"container": None})
        recorder.tick(clock.pass_ms(ROTATE_AFTER_S * 1000))
    assert recorder.containers == 2


def test_a_full_block_is_written_at_the_next_tick(tmp_path, recorder, clock):
    for seq in range(BLOCK_ROWS):
        add(recorder, ok(seq, seq))
    recorder.tick(clock.pass_ms(1))
    assert seqs_of(journals(tmp_path)[0]) == list(range(BLOCK_ROWS))


def test_after_ten_seconds_the_next_journal_begins_with_a_table_of_its_own(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    for seq in range(3):
        add(recorder, ok(seq, seq))
        recorder.tick(clock.pass_ms(250))
        recorder.tick(clock.pass_ms(ROTATE_AFTER_S * 1000))
    recorder.close()
    assert [path.name for path in journals(tmp_path)] == ["invoker-0-0.journal", "invoker-0-1.journal", "invoker-0-2.journal"]
    assert [rows_of(path)[0][0]["container"] for path in journals(tmp_path)] == [ok(0, 0)["container"]] * 3


def test_a_text_that_no_row_used_does_not_disturb_the_next_journal(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    add(recorder, ok(0, 0))
    recorder.tick(clock.pass_ms(250))
    recorder.container("of a call whose row never came")
    recorder.tick(clock.pass_ms(ROTATE_AFTER_S * 1000))
    add(recorder, ok(1, 1))
    recorder.close()
    assert [rows_of(path)[0][0]["container"] for path in journals(tmp_path)] == [ok(0, 0)["container"]] * 2


def test_after_so_many_rows_the_next_journal_begins(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("owray.record.journal.ROTATE_AFTER_ROWS", 10)
    recorder = Recorder(tmp_path, HEADER, clock)
    for seq in range(25):
        add(recorder, ok(seq, seq))
        recorder.tick(clock.pass_ms(250))
    recorder.close()
    assert [len(seqs_of(path)) for path in journals(tmp_path)] == [11, 11, 3]


def test_a_backlog_is_written_in_blocks_that_a_reader_can_hold(tmp_path, recorder, clock):
    for seq in range(2 * BLOCK_ROWS + 5):
        add(recorder, ok(seq, seq))
    recorder.tick(clock.pass_ms(1))
    blocks = list(Journal(journals(tmp_path)[0]).blocks())
    assert [len(block.rows) // ROW.size for block in blocks] == [BLOCK_ROWS, BLOCK_ROWS, 5]
    assert seqs_of(journals(tmp_path)[0]) == list(range(2 * BLOCK_ROWS + 5))


def test_a_journal_bears_its_final_name_only_when_closed(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    add(recorder, ok(0, 0))
    recorder.tick(clock.pass_ms(250))
    assert [path.name for path in journals(tmp_path)] == ["invoker-0-0.journal.open"]
    recorder.close()
    assert [path.name for path in journals(tmp_path)] == ["invoker-0-0.journal"]


def test_an_invoker_without_rows_leaves_no_journal(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    recorder.tick(clock.pass_ms(20_000))
    recorder.close()
    assert not journals(tmp_path)


def test_equal_texts_share_a_code(recorder):
    assert recorder.container("c1") == recorder.container("c1") != recorder.container("c2")


def test_errors_beyond_a_thousand_distinct_ones_are_other(tmp_path, recorder, clock):
    codes = {recorder.error(f"error {number}") for number in range(MOST_ERRORS)}
    assert len(codes) == MOST_ERRORS
    assert recorder.error("one more") == recorder.error("and another") == recorder.error(OTHER_ERROR)
    assert recorder.error("error 5") in codes


def test_the_bound_on_errors_holds_over_all_journals_of_an_invoker(recorder, clock):
    for number in range(MOST_ERRORS):
        recorder.error(f"error {number}")
    add(recorder, ok(0, 0))
    recorder.tick(clock.pass_ms(250))
    recorder.tick(clock.pass_ms(ROTATE_AFTER_S * 1000))
    assert recorder.error("a new one") == recorder.error(OTHER_ERROR)
    assert recorder.error("error 5") != recorder.error(OTHER_ERROR)


def test_the_mark_is_the_highest_seq_attempted(tmp_path, recorder):
    mark = tmp_path / "invoker-0.mark"
    assert read_mark(mark) == NOTHING_ATTEMPTED
    recorder.mark(5)
    recorder.mark(3)
    assert read_mark(mark) == 5


def test_a_mark_is_held_as_long_as_its_invoker_lives(tmp_path, clock):
    recorder = Recorder(tmp_path, HEADER, clock)
    assert mark_is_held(tmp_path / "invoker-0.mark")
    recorder.close()
    assert not mark_is_held(tmp_path / "invoker-0.mark")


def test_an_invoker_does_not_play_twice_in_one_run(tmp_path, recorder, clock):
    with pytest.raises(FileExistsError):
        Recorder(tmp_path, HEADER, clock)


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(st.integers(1, 5), min_size=1, max_size=5), data=st.data())
def test_a_journal_cut_anywhere_gives_exactly_the_rows_of_its_whole_blocks(tmp_path_factory, blocks, data):
    folder = tmp_path_factory.mktemp("cut")
    whole, ends = _journal_of(folder, blocks)
    cut = data.draw(st.integers(0, len(whole)))
    torn = folder / "torn"
    torn.write_bytes(whole[:cut])
    kept = sum(rows for rows, end in zip(blocks, ends, strict=True) if end <= cut)
    rows, left_over = rows_of(torn)
    assert [row["seq"] for row in rows] == list(range(kept))
    assert all(row["container"] == f"container {row['seq']}" for row in rows)
    header = whole.index(b"\n") + 1
    assert left_over == cut - max((end for end in (header, *ends) if end <= cut), default=0)


@settings(max_examples=100, deadline=None)
@given(blocks=st.lists(st.integers(1, 5), min_size=1, max_size=5), data=st.data())
def test_damage_costs_the_rows_and_texts_of_the_block_it_is_in_and_no_others(tmp_path_factory, blocks, data):
    folder = tmp_path_factory.mktemp("damaged")
    whole, ends = _journal_of(folder, blocks)
    header = whole.index(b"\n") + 1
    place = data.draw(st.integers(header, len(whole) - 1))
    struck = next(number for number, end in enumerate(ends) if place < end)
    start, end = [header, *ends][struck : struck + 2]
    cut = data.draw(st.integers(1, end - place))
    instead = data.draw(st.binary(max_size=4) | st.just(b"OWRB") | st.just(whole[start:place]))
    damaged = folder / "damaged"
    damaged.write_bytes(whole[:place] + instead + whole[place + cut :])
    rows, left_over = rows_of(damaged)
    seqs = list(range(sum(blocks)))
    first = sum(blocks[:struck])
    if instead == whole[place : place + cut]:
        assert ([row["seq"] for row in rows], left_over) == (seqs, 0)
        return
    assert [row["seq"] for row in rows] == seqs[:first] + seqs[first + blocks[struck] :]
    assert all(row["container"] == f"container {row['seq']}" for row in rows)
    assert left_over == end - start + len(instead) - cut


def test_the_next_block_is_found_wherever_the_search_for_it_is_divided(tmp_path, monkeypatch):
    whole, ends = _journal_of(tmp_path, [3, 3])
    damaged = tmp_path / "damaged"
    damaged.write_bytes(whole[: ends[0] - 1] + whole[ends[0] :])
    for size in range(1, 40):
        monkeypatch.setattr("owray.record.journal._SEARCH_BYTES", size)
        assert seqs_of(damaged) == [3, 4, 5]


def _journal_of(folder, blocks):
    """A closed journal with blocks of so many rows: its bytes, and where each block ends."""
    clock = ManualClock()
    recorder = Recorder(folder, HEADER, clock)
    seq, ends = 0, []
    for rows in blocks:
        for _ in range(rows):
            add(recorder, ok(seq, seq) | {"container": f"container {seq}"})
            seq += 1
        recorder.tick(clock.pass_ms(250))
        ends.append(journals(folder)[0].stat().st_size)
    recorder.close()
    return journals(folder)[0].read_bytes(), ends


def test_a_journal_of_another_version_is_refused(tmp_path):
    path = tmp_path / "invoker-0-0.journal"
    path.write_text(json.dumps({"owray_journal": 99, "row": "<q", "run": "r", "invoker": 0, "invokers": 1, "node": "0"}) + "\n")
    with pytest.raises(JournalError, match="another version"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    path = tmp_path / "invoker-0-0.journal"
    path.write_text("[]\n")
    with pytest.raises(JournalError, match="no journal"):
        Journal(path)


KILLED = """
    import os, sys, time
    from pathlib import Path
    from support.runs import add, ok
    from owray.record.journal import Header, Recorder

    recorder = Recorder(Path(sys.argv[1]), Header("r", 0, 1, "0"), time.monotonic_ns)
    for seq in range(10_000):
        add(recorder, ok(seq, seq))
    recorder.tick(time.monotonic_ns())
    for seq in range(10_000, 10_100):
        add(recorder, ok(seq, seq))
    recorder.mark(10_123)
    print("ready", flush=True)
    time.sleep(600)
"""


def test_kill_9_costs_only_the_rows_since_the_last_tick_and_never_the_mark(tmp_path):
    with _python(KILLED, str(tmp_path)) as process:
        assert process.stdout.readline() == b"ready\n"
        assert mark_is_held(tmp_path / "invoker-0.mark")
        process.send_signal(signal.SIGKILL)
    assert seqs_of(tmp_path / "invoker-0-0.journal.open") == list(range(10_000))
    assert read_mark(tmp_path / "invoker-0.mark") == 10_123
    assert not mark_is_held(tmp_path / "invoker-0.mark")


# The greatest size of a file stands in for a full disk: the kernel writes a part of the block, then refuses.
FULL = """
    import resource, sys, time
    from pathlib import Path
    from support.runs import ManualClock, add, ok
    from owray.record.journal import Header, Journal, Recorder
    from owray.record.layout import ROW

    clock = ManualClock()
    recorder = Recorder(Path(sys.argv[1]), Header("r", 0, 1, "0"), clock)
    room = 300 + 15 * ROW.size
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    seq = 0
    for rows in (10, 10, 10):
        for _ in range(rows):
            add(recorder, ok(seq, seq))
            seq += 1
        try:
            recorder.tick(clock.pass_ms(250))
            print("written")
        except OSError as refused:
            print("refused", refused.errno)
        journal = Journal(next(Path(sys.argv[1]).glob("*.journal.open")))
        print(sum(len(block.rows) // ROW.size for block in journal.blocks()), journal.left_over_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    recorder.close()
    print("closed", recorder.rows)
"""


def test_a_full_disk_leaves_whole_blocks_and_the_rows_are_written_when_there_is_room(tmp_path):
    with _python(FULL, str(tmp_path)) as process:
        said = process.communicate(timeout=60)[0].decode().splitlines()
    assert [line.partition(" ")[0] for line in said] == ["written", "10", "refused", "10", "refused", "10", "closed"]
    assert said[3] == "10 0"
    assert seqs_of(tmp_path / "invoker-0-0.journal") == list(range(30))


def test_a_journal_that_cannot_even_begin_leaves_no_file_and_keeps_the_rows(tmp_path, clock):
    recorder = Recorder(tmp_path / "journal", HEADER, clock)
    add(recorder, ok(0, 0))
    in_the_way = tmp_path / "journal" / "invoker-0-0.journal.open"
    in_the_way.write_bytes(b"")
    with pytest.raises(FileExistsError):
        recorder.tick(clock.pass_ms(250))
    in_the_way.unlink()
    recorder.tick(clock.pass_ms(1))
    recorder.close()
    assert seqs_of(tmp_path / "journal" / "invoker-0-0.journal") == [0]


def _python(program, *arguments):
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), *arguments], stdout=subprocess.PIPE, env=environment)
