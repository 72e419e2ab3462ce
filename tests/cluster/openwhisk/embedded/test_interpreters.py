"""Which interpreters are found: those that answer, one of each version, and no scripts."""

import shutil
import sys
from pathlib import Path

from cluster.openwhisk.embedded.interpreters import interpreters, usual_folders

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
TRUE = Path(shutil.which("true") or "/bin/true")


def folder(parent, **names):
    made = parent / f"bin{len(list(parent.iterdir()))}"
    made.mkdir()
    for name, target in names.items():
        (made / name.replace("_", ".")).symlink_to(target)
    return made


def test_one_of_each_version_is_found_the_first_one_first(tmp_path):
    first, second = folder(tmp_path, python3_12=sys.executable), folder(tmp_path, python3_13=sys.executable, python3=sys.executable)
    found = interpreters([tmp_path / "not there", first, second])
    assert [(one.program, one.version) for one in found] == [(Path(sys.executable).resolve(), sys.version.split()[0])]
    assert found[0].minor == OWN  # what it says, not what it is called


def test_what_is_a_script_or_gives_no_answer_or_another_is_passed_over(tmp_path):
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\nexec python3\n")
    shim.chmod(0o755)
    names = folder(tmp_path, python3_12=shim, python3_11=TRUE, python3_10=tmp_path / "nothing", python4_1=sys.executable)
    assert interpreters([names]) == []


def test_the_path_and_where_pyenv_keeps_its_own_are_looked_through(tmp_path, monkeypatch):
    there = tmp_path / "versions" / "3.12.1" / "bin"
    there.mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/a:/b")
    folders = usual_folders()
    assert folders[:2] == [Path("/a"), Path("/b")]
    assert there in folders
