"""Parameters of the command line and of files, laid over each other; what cannot be read is named by its place."""

import json
import math
import os
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from owray.openwhisk.catalogue import find
from owray.plan.mix import MOST_VARIANTS, Check
from owray.storm.bad_request import BadRequest
from owray.storm.choose import choose
from owray.storm.parameters import payload_of, read_parameters
from owray.storm.request import CallRequest, StormRequest


@pytest.fixture
def file(tmp_path):
    """Writes a file of parameters."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            pq.write_table(pa.Table.from_pylist(content), path)
        return path

    return write


def carried(**asked):
    return [dict(variant.parameters) for variant in payload_of(CallRequest(**asked)).variants()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("7", 7), ("1.5", 1.5), (" 7", 7), ("true", True), ("null", None), ('"7"', "7"), ('{"a":[1]}', {"a": [1]})),
        *((text, text) for text in ("hello", "", "a=b", "{", "NaN", "1e999")),
    ],
)
def test_a_value_is_json_where_it_is_json_else_text(text, value):
    assert carried(param=(f"key={text}",)) == [{"key": value}]


def test_without_parameters_a_call_carries_an_empty_object():
    assert carried() == [{}]


ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(ROWS)),
        ("rows.jsonl", "\n".join(map(json.dumps, [*ROWS])) + "\n\n"),
        ("rows.JSONL", "\r\n".join(map(json.dumps, ROWS))),
        ("rows.parquet", ROWS),
        ("rows.csv", "a,b\n1,x\n2,y\n"),
        ("rows.csv", '\ufeffa,b\r\n1,"x"\r\n2,y\r\n'),
    ],
)
def test_a_file_gives_calls_one_of_its_objects(file, name, content):
    assert carried(params=file(name, content)) == ROWS


def test_one_object_is_for_all_calls(file):
    assert carried(params=file("one.json", '{"a": 1}')) == [{"a": 1}]


def test_the_command_line_stands_over_the_file(file):
    assert carried(params=file("rows.json", json.dumps(ROWS)), param=("b=z", "c=3")) == [
        {"a": 1, "b": "z", "c": 3},
        {"a": 2, "b": "z", "c": 3},
    ]


BAD = {
    "it is no JSON": ("x.json", '{"a": '),
    "parameters are an object, not 7": ("x.json", "7"),
    "object 2: parameters are an object, not a list": ("x.json", "[{}, []]"),
    "line 3: it is no JSON": ("x.jsonl", '{"a": 1}\n\n{"a": \n'),
    "line 2: parameters are an object, not a list": ("x.jsonl", '{"a": 1}\n[2]\n'),
    "line 1: parameters are an object, not a text": ("x.jsonl", '"a"'),
    "it is empty": ("x.jsonl", ""),
    "it is empty; a call": ("x.json", "[]"),
    "it is no Parquet that can be read": ("x.parquet", "PAR1 no more"),
    "row 1: it cannot be told in JSON (Object of type datetime": ("x.parquet", [{"at": datetime(2026, 1, 1)}]),  # noqa: DTZ001
    "row 2: it cannot be told in JSON (Out of range float": ("x.parquet", [{"a": 1.0}, {"a": math.inf}]),
    "line 3: it has not as many values as the first line has keys": ("x.csv", "a,b\n1,2\n3\n"),
    "line 2: it has not as many values": ("x.csv", "a,b\n1,2,3\n"),
    "line 2: unexpected end of data": ("x.csv", 'a,b\n1,"x\n'),
    "it is no UTF-8": ("x.csv", b"a,b\n\xff,2\n"),
    "a file of parameters ends in .json, .jsonl, .parquet, .csv": ("x.toml", "a = 1"),
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_read_is_named_by_file_and_place(file, words):
    path = file(*BAD[words])
    with pytest.raises(BadRequest) as caught:
        read_parameters(path)
    assert str(caught.value).startswith(f"--params {path}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [Path("/nonexistent/x.json"), Path("/nonexistent/x.parquet")])
def test_a_file_that_is_not_there_is_said_so(path):
    with pytest.raises(BadRequest, match=f"--params {path}: No such file or directory"):
        read_parameters(path)


def test_a_folder_is_no_file_of_parameters(tmp_path):
    (tmp_path / "x.jsonl").mkdir()
    with pytest.raises(BadRequest, match="Is a directory"):
        read_parameters(tmp_path / "x.jsonl")


def test_a_pipe_or_a_device_is_no_file_of_parameters(tmp_path):
    os.mkfifo(tmp_path / "x.jsonl")
    (tmp_path / "x.json").symlink_to("/dev/zero")
    for path in (tmp_path / "x.jsonl", tmp_path / "x.json"):
        with pytest.raises(BadRequest, match=f"--params {path}: it is a pipe or a device; parameters are read from a file"):
            read_parameters(path)


def test_a_schema_without_an_end_is_refused():
    with pytest.raises(BadRequest, match="--expect-schema /dev/zero: it holds more than 1,048,576 bytes"):
        payload_of(CallRequest(expect_schema=Path("/dev/zero")))


def test_there_may_be_as_many_as_rows_can_tell_apart_and_no_more(file):
    assert len(read_parameters(file("x.jsonl", "{}\n" * MOST_VARIANTS))) == MOST_VARIANTS
    with pytest.raises(BadRequest, match="it has more than the 32,767 sets of parameters"):
        read_parameters(file("y.jsonl", "{}\n" * (MOST_VARIANTS + 1)))


@pytest.mark.parametrize("text", ["a", "=1", "", "a\udcff=1", "a=\udcff"])
def test_a_parameter_that_is_none_is_refused(text):
    with pytest.raises(BadRequest, match="--param "):
        payload_of(CallRequest(param=(text,)))


# --- with an action of the catalogue


def chosen(**call):
    return choose(StormRequest(action="align", size="small", call=CallRequest(**call)))


def test_without_own_parameters_the_catalogues_are_checked():
    variants = chosen().entries((find("align"),))[0].variants
    assert [(variant.parameters["seed"], variant.expected is not None) for variant in variants][:2] == [(1, True), (2, True)]
    assert chosen().notes() == ()


def test_own_parameters_stand_over_the_manifests_whose_checksum_is_then_not_looked_at():
    storm = chosen(param=("reads=9",))
    variants = storm.entries((find("align"),))[0].variants
    assert [dict(variant.parameters) for variant in variants][:2] == [
        {"size": "small", "seed": 1, "reads": 9},
        {"size": "small", "seed": 2, "reads": 9},
    ]
    assert {variant.expected for variant in variants} == {None}
    (note,) = storm.notes()
    assert note.startswith("the parameters are yours, so the checksums that the catalogue knows are not looked at.")


def test_rows_of_a_file_are_laid_over_the_first_seed(file):
    variants = chosen(params=file("rows.jsonl", '{"reads": 5}\n{"reads": 6, "seed": 42}\n')).entries((find("align"),))[0].variants
    assert [dict(variant.parameters) for variant in variants] == [
        {"size": "small", "seed": 1, "reads": 5},
        {"size": "small", "seed": 42, "reads": 6},
    ]


# --- checks


def test_a_check_is_kept_as_it_was_written(file):
    schema = file("schema.json", '{ "type": "object" }')
    assert payload_of(CallRequest(expect="[1]", expect_schema=schema)).check == Check("[1]", '{ "type": "object" }')
    assert payload_of(CallRequest()).check is None


def test_a_check_that_cannot_be_made_names_its_option(file):
    with pytest.raises(BadRequest, match=r"--expect '\{': it is no JSON"):
        payload_of(CallRequest(expect="{"))
    bad = file("bad.json", '{"type": "objekt"}')
    with pytest.raises(BadRequest, match=f"--expect-schema {bad}: it is no JSON Schema: "):
        payload_of(CallRequest(expect_schema=bad))
    with pytest.raises(BadRequest, match="--expect-schema /nonexistent: No such file or directory"):
        payload_of(CallRequest(expect_schema=Path("/nonexistent")))
    with pytest.raises(BadRequest, match="it is no UTF-8"):
        payload_of(CallRequest(expect_schema=file("latin.json", b"\xff")))
