"""Files of properties as wsk and as people write them; read whatever they are, and never waited for without an end."""

import os
import subprocess
import sys
import threading

import pytest

from owray.openwhisk.choice import Asked, choose
from owray.openwhisk.properties import MOST_BYTES, PropertyError, properties_of, read_text
from owray.openwhisk.target import TargetError, read_key, read_wskprops

SECRET = "k" * 64
KEY = f"uuid:{SECRET}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("AUTH=a:b", "a:b"),
        ("  AUTH = a:b  ", "a:b"),
        ("auth=a:b", "a:b"),
        ("export AUTH=a:b", "a:b"),
        ("export\tAUTH='a:b'", "a:b"),
        ('AUTH="a:b"', "a:b"),
        ('AUTH = "a:b" # mine', "a:b"),
        ("AUTH=a:b # mine", "a:b"),
        ("AUTH=a:b#c", "a:b#c"),
        ("AUTH='a:b # c'", "a:b # c"),
        ("AUTH=a:b==", "a:b=="),
        ("AUTH=a b", "a b"),
        ("AUTH=old:one\nAUTH=a:b", "a:b"),
        ("AUTH=", ""),
        ("AUTH= # none", ""),
        ('AUTH=""', ""),
        ("#AUTH=c:d\nAUTH=a:b\n  # AUTH=c:d", "a:b"),
    ],
)
def test_a_line_means_what_a_person_expects(line, value):
    assert properties_of(line) == {"AUTH": value}
    assert properties_of(line.replace("\n", "\r\n") + "\r\n") == {"AUTH": value}


@pytest.mark.parametrize("line", ["", "just words", "[default]", "AUTHOR of this", "the AUTH is secret", "a.b=c", "=x"])
def test_what_wsk_passes_over_is_passed_over(line):
    assert properties_of(f"{line}\nAPIHOST=here") == {"APIHOST": "here"}


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (f"AUTH: {KEY}", "begins with AUTH, but is not AUTH=VALUE"),
        (f"export AUTH {KEY}", "begins with AUTH, but is not AUTH=VALUE"),
        ("apihost here", "begins with APIHOST, but is not APIHOST=VALUE"),
        (f'AUTH="{KEY}', "the value is not what stands between two quotation marks"),
        (f"AUTH='{KEY}\"", "the value is not what stands between two quotation marks"),
        (f'AUTH="{KEY}"x', "the value is not what stands between two quotation marks"),
    ],
)
def test_what_cannot_be_meant_is_named_by_file_and_line_and_not_quoted(tmp_path, line, cause):
    with pytest.raises(PropertyError, match=f"^line 2.*{cause}"):
        properties_of(f"# mine\n{line}")
    path = tmp_path / "wskprops"
    path.write_text(f"APIHOST=here\n{line}\n")
    for read in (read_wskprops, read_key, lambda path: choose(Asked(), {"WSK_CONFIG_FILE": str(path)}, lambda: None)):
        with pytest.raises(TargetError, match=r", line 2.*  \(lines are NAME=VALUE, a value may stand between quotation marks\)") as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert SECRET not in str(caught.value)


def test_a_file_that_an_editor_on_windows_wrote_is_understood(tmp_path):
    path = tmp_path / "wskprops"
    path.write_bytes(b"\xef\xbb\xbf" + f'APIHOST="here"\r\nAUTH={KEY}\r\n'.encode())
    assert (read_wskprops(path).api_host, read_wskprops(path).auth) == ("https://here", KEY)
    path.write_bytes(b"\xef\xbb\xbf" + f'"{KEY}"\r\n'.encode())
    assert read_key(path) == {"AUTH": KEY}
    path.write_text(f"APIHOST=here\nAUTH={KEY}\n", encoding="utf-16")
    with pytest.raises(TargetError, match="is no text in UTF-8"):
        read_wskprops(path)


def test_a_key_may_come_from_a_command(tmp_path):
    """`--auth-file <(command)`: a pipe, which may still be empty when it is read."""
    code = (
        "import sys; from pathlib import Path; from owray.openwhisk.target import read_key; print(len(read_key(Path(sys.argv[1]))['AUTH']))"
    )
    shell = f'"{sys.executable}" -c "{code}" <(sleep 0.2; printf "uuid:"; sleep 0.1; echo {SECRET})'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{len(KEY)}\n", "")


def test_a_fifo_is_read_to_its_end_whoever_comes_first(tmp_path):
    os.mkfifo(fifo := tmp_path / "fifo")
    writer = threading.Thread(target=fifo.write_text, args=(KEY * 2000,))
    writer.start()
    assert read_text(fifo) == KEY * 2000
    writer.join()


def test_a_fifo_that_nobody_writes_to_is_given_up(tmp_path):
    os.mkfifo(fifo := tmp_path / "fifo")
    with pytest.raises(TimeoutError, match=r"nobody has written to it to the end within 0\.05 s"):
        read_text(fifo, patience_s=0.05)
    with fifo.open("rb+", buffering=0) as kept:
        kept.write(b"half")
        with pytest.raises(TimeoutError, match="to the end"):
            read_text(fifo, patience_s=0.05)


def test_what_has_no_end_is_refused(tmp_path):
    with pytest.raises(OSError, match="it holds more than 1,048,576 bytes"):
        read_text("/dev/zero")
    (large := tmp_path / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(TargetError, match="large cannot be read: it holds more than"):
        read_key(large)
    large.write_bytes(b"x" * MOST_BYTES)
    assert len(read_text(large)) == MOST_BYTES


def test_nothing_at_all_is_an_empty_file():
    assert read_text("/dev/null") == ""
