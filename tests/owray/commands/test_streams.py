"""The standard streams of a command whose reader goes away, or who never was."""

import io
import os
import subprocess
import sys

import pytest
from support.storms import ROOT

from owray.commands.streams import OutputLost, standard_streams


def told(monkeypatch, name, path, text="x"):
    """Print to a stream that is this file."""
    with path.open("w") as file:
        monkeypatch.setattr(sys, name, file)
        with standard_streams():
            print(text, file=getattr(sys, name), flush=True)


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_an_output_that_takes_no_more_is_lost_with_its_cause(monkeypatch, full, size):
    with pytest.raises(OutputLost, match=r"^cannot write the output: No space left on device\.  \(make room") as lost:
        told(monkeypatch, "stdout", full, "x" * size)
    assert lost.value.cause == "No space left on device"


def test_an_error_stream_that_takes_no_more_is_no_matter(monkeypatch, full, tmp_path):
    with (tmp_path / "answer").open("w") as answer, full.open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", answer)
        monkeypatch.setattr(sys, "stderr", nowhere)
        with standard_streams():
            print("x", file=sys.stderr, flush=True)
            print("an answer", flush=True)
    assert (tmp_path / "answer").read_text() == "an answer\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_is_taken_is_written_and_the_streams_are_put_back(monkeypatch, tmp_path, name):
    told(monkeypatch, name, tmp_path / "file", "größe")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "größe\n"
    assert "commands.streams" not in repr(getattr(sys, name).buffer)


def test_a_stream_that_was_closed_is_nobody_to_tell(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with standard_streams():
        assert sys.stdin.read() == ""
        print("to nobody")
        print("to nobody", file=sys.stderr)
    assert sys.stdout is None


def test_what_is_no_file_stays_as_it_is(monkeypatch):
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", memory)
    with standard_streams():
        assert sys.stdout is memory


@pytest.fixture
def full(tmp_path):
    """A file on a disk without room."""
    (tmp_path / "full").symlink_to("/dev/full")
    return tmp_path / "full"


@pytest.mark.parametrize(
    ("end", "stream", "goes_on"),
    [("pipe", "stderr", True), ("terminal", "stderr", True), ("pipe", "stdout", True), ("terminal", "stdout", False)],
)
def test_only_an_output_on_a_closed_terminal_ends_what_goes_on(end, stream, goes_on):
    program = (
        "import sys\nfrom owray.commands.streams import OutputLost, standard_streams\n"
        "with standard_streams():\n    input()\n"
        f"    try:\n        print('gone', file=sys.{stream}, flush=True)\n"
        "    except OutputLost:\n        sys.exit(3)\n"
    )
    reader, writer = os.pipe() if end == "pipe" else os.openpty()
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, text=True, **{stream: writer}) as process:
        os.close(writer)
        os.close(reader)
        process.communicate("go\n")
    assert process.returncode == (0 if goes_on else 3)
