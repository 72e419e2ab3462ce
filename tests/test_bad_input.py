"""What is mistyped, or where nothing may be written, in any command: one line with its cure, exit code 1, and nothing is made."""

import os
import socket
import subprocess
import sys

import pytest
from support.storms import CLI

import cli
from cluster.state import LabFolder

NOBODY = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"] if os.geteuid() == 0 else []
OF_A_LAB = ("up local", "status", "down", "target")
OF_RUNS = ("runs", "runs show", "runs sizes", "runs rm latest --yes", "query summary", "sql x", "judge", "recover", "export --output x.csv")


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Runs a command line that is to be refused; gives the one line that it says."""
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WSK_CONFIG_FILE", "")

    def run(*words):
        code = cli.main(words)
        said = capfd.readouterr()
        assert (code, said.out) == (1, "")
        assert said.err.startswith("owray: ")
        assert said.err.count("\n") == 1
        return said.err

    return run


@pytest.mark.parametrize(("typed", "meant"), [("sorm", "storm"), ("querry", "query"), ("stauts", "status"), ("dwon", "down")])
def test_a_misspelt_command_is_guessed(refused, typed, meant):
    assert refused(typed) == f"owray: No such command '{typed}'. Did you mean '{meant}'?  (owray --help)\n"


@pytest.mark.parametrize(
    ("command", "typed", "meant"),
    [
        ("storm", "--worklod", "--workload"),
        ("up", "--user-memry", "--user-memory"),
        ("down", "--lob", "--lab"),
        ("status", "--jsn", "--json"),
        ("target", "--api-hots", "--api-host"),
        ("doctor", "--in-fligth", "--in-flight"),
        ("workloads", "--action-dir", "--actions-dir"),
        ("runs", "--run-dir", "--runs-dir"),
        ("query", "--parm", "--param"),
        ("sql", "--fromat", "--format"),
        ("judge", "--junt", "--junit"),
        ("export", "--outptu", "--output"),
        ("recover", "--forc", "--force"),
    ],
)
def test_a_misspelt_option_is_guessed(refused, command, typed, meant):
    said = refused(command, typed, "x")
    assert f"No such option: {typed} (Possible options: " in said
    assert meant in said
    assert said.endswith(f"  (owray {command} --help)\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("up", "moon"), "Invalid value for 'provider': 'moon' is not one of 'local'.  (owray up --help)"),
        (("up", "local", "--port", "70000"), "Invalid value for '--port': "),
        (("up", "local", "--user-memory", "4"), "--user-memory: "),
        (("up", "local", "--profile", "benhc"), "'benhc' is not one of 'bench', 'standalone', 'helm'"),
        (("sql", "select 1", "--format", "xml"), "'xml' is not one of 'table', "),
        (("query", "timeline", "--param", "bucket_s"), "NAME=VALUE"),
        (("export", "--output", "calls.txt"), ".parquet or .csv: not 'calls.txt'"),
        (("down", "two"), "Got unexpected extra argument(s) (two)  (owray down --help)"),
        (("export",), "Missing option '--output'.  (owray export --help)"),
    ],
)
def test_what_a_command_does_not_take_is_named_with_its_place(refused, words, said):
    assert said in refused(*words)


@pytest.mark.parametrize("command", [("target",), ("storm", "--action", "noop")])
def test_a_misspelt_lab_is_guessed(refused, tmp_path, command):
    LabFolder(tmp_path / "home", "bench-two").make()
    assert refused(*command, "--lab", "bench-tow").endswith(
        "owray: no lab named 'bench-tow' is up. Did you mean 'bench-two'?  (owray up local --lab bench-tow makes it)\n"
    )


def test_status_guesses_a_misspelt_lab_too_and_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    LabFolder(tmp_path, "bench-two").make()
    assert cli.main(["status", "--lab", "bench-tow"]) == 0
    assert capsys.readouterr().out == "no lab 'bench-tow' is up. Did you mean 'bench-two'?  (owray up local --lab bench-tow makes it)\n"


def test_a_port_that_is_taken_is_said_so_before_anything_is_made(refused, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused("up", "local", "--port", str(port)) == (
            f"owray: port {port} cannot be had: Address already in use.  (--port names another one, else a free one is taken)\n"
        )
    assert not LabFolder(tmp_path / "home", "local").path.exists()


@pytest.fixture
def shut_out(tmp_path):
    """Runs a command line as somebody who may neither read nor write the home; gives exit code, output, errors and that home."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    home = closed / "home"

    def run(words):
        command = [*NOBODY, sys.executable, str(CLI), *words.split()]
        variables = {**os.environ, "OWRAY_HOME": str(home), "WSK_CONFIG_FILE": ""}
        done = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr, home

    yield run
    closed.chmod(0o700)
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("words", OF_A_LAB)
def test_a_home_that_may_not_be_used_is_named_with_another_way(shut_out, words):
    code, output, errors, home = shut_out(words)
    assert (code, output) == (1, "")
    assert errors == f"owray: cannot keep a lab in {home}: Permission denied.  (OWRAY_HOME names another place)\n"


@pytest.mark.parametrize("words", OF_RUNS)
def test_runs_that_may_not_be_read_are_named_with_another_way(shut_out, words):
    code, output, errors, home = shut_out(words)
    assert (code, output) == (1, "")
    assert errors == f"owray: cannot look for runs in {home}/runs: Permission denied.  (--runs-dir names another place)\n"


def test_a_storm_that_may_not_keep_its_run_is_refused(shut_out):
    code, output, errors, home = shut_out("storm --action noop")
    assert (code, output) == (1, "")
    assert errors == f"owray: cannot keep a run in {home}/runs: Permission denied.  (--runs-dir names another place)\n"


def test_the_doctor_says_what_it_may_not_look_at(shut_out):
    code, output, errors, home = shut_out("doctor")
    assert (code, errors) == (1, "")
    assert f"could not be looked at: cannot keep a lab in {home}: Permission denied." in output
