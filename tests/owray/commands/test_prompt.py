"""`owray sql` without a question: a prompt on a terminal, a script from a pipe."""

import pytest
from support.commands import owray
from support.runs import finished_run, recipe
from support.terminals import Terminal

from owray.record.tags import tag

CLI = "import sys, cli; sys.exit(cli.main(sys.argv[1:]))"


@pytest.fixture
def home(tmp_path):
    finished_run(tmp_path / "runs")
    return tmp_path


def at_prompt(home):
    return Terminal(CLI, "sql", OWRAY_HOME=str(home), COLUMNS="120")


def script(home, text, *arguments):
    return owray("sql", *arguments, "--runs-dir", home / "runs", answer=text)


def test_a_statement_may_take_many_lines_and_ends_with_a_semicolon(home):
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("select count(*) as rows\n")
        terminal.wait_for("  ...> ")
        terminal.type("from calls where outcome = ';' or true;\n")
        assert "100" in terminal.wait_for("owray> ").split("true;")[1]
        terminal.type("\x04")
        assert terminal.end() == 0


def test_an_error_is_told_and_the_prompt_comes_again(home):
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("select servce_us from calls;\n")
        told = terminal.wait_for("owray> ")
        assert 'owray: Binder Error: Referenced column "servce_us" not found' in told
        terminal.type(".quit\n")
        assert terminal.end() == 0


def test_ctrl_c_drops_what_was_typed(home):
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("select 41\n")
        terminal.wait_for("  ...> ")
        terminal.type("nonsense")
        terminal.wait_for("nonsense")
        terminal.interrupt(then="owray> ")
        terminal.type("select 'on' || 'ly' as word;\n")
        told = terminal.wait_for("owray> ").partition("word;")[2]
        assert "only" in told
        assert "41" not in told
        terminal.type("\x04")
        assert terminal.end() == 0


def test_ctrl_c_ends_a_query_that_takes_too_long(home):
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("select sum(a.range * b.range % 7) from range(10000000) a, range(1000000) b;\n")
        terminal.wait_for("b;\n")
        terminal.interrupt(then="owray> ")
        terminal.type("select 'still ' || 'here' as word;\n")
        terminal.wait_for("still here")
        terminal.wait_for("owray> ")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_what_was_typed_is_there_the_next_time_and_is_nobody_else_s(home):
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("select 'remem' || 'bered';\n")
        terminal.wait_for("remembered")
        terminal.wait_for("owray> ")
        terminal.type("\x04")
        terminal.end()
    assert (home / "sql_history").stat().st_mode & 0o777 == 0o600
    with at_prompt(home) as terminal:
        terminal.wait_for("owray> ")
        terminal.type("\x1b[A\n")
        terminal.wait_for("remembered")
        terminal.wait_for("owray> ")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_a_pipe_is_a_script_whose_last_statement_needs_no_semicolon(home):
    result = script(home, "select 1 as one; select\n2 as two\n", "--format", "csv")
    assert (result.exit_code, result.stdout) == (0, '"one"\n1\n"two"\n2\n')


def test_a_script_ends_at_its_first_error(home):
    result = script(home, "select 1 as one; select nope; select 2 as two", "--format", "csv")
    assert (result.exit_code, result.stdout) == (1, '"one"\n1\n')
    assert len(result.stderr.splitlines()) == 1


def test_a_script_that_is_no_utf_8_is_refused_with_its_line(home):
    result = script(home, "select 1;\nselect 'caf\u00e9';\n".encode("latin-1"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "owray: the script is no UTF-8, line 2.  (iconv -t UTF-8 makes it so)\n"


def test_a_mark_that_says_utf_8_is_no_part_of_a_script(home):
    assert script(home, "select 7 as n".encode("utf-8-sig"), "--format", "csv").stdout == '"n"\n7\n'


def test_an_empty_script_says_nothing(home):
    result = script(home, "")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_lines_with_a_dot_tell_what_there_is_to_ask(home):
    assert script(home, ".tables").stdout.split() == ["calls", "runs", "hosts", "seconds", "plan"]
    assert "response_us" in script(home, ".schema calls").stdout
    assert "intended_us" in script(home, ".schema plan").stdout
    assert "cold_starts" in script(home, ".queries").stdout
    assert "ok_percent" in script(home, ".query summary").stdout
    assert ".run NAME" in script(home, ".help").stdout


def test_another_run_is_asked_after_dot_run(home):
    other = finished_run(home / "runs", recipe(rps=7))
    tag(home / "runs", other.run, "small")
    count = "select count(*) as calls from calls;\n"
    result = script(home, f".run all\n{count}.run small\n{count}.quit\n{count}", "--format", "csv")
    assert result.stdout == f'2 runs\n"calls"\n107\nrun {other.run}\n"calls"\n7\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (".shema calls", "no command '.shema'. Did you mean '.schema'?"),
        (".schema nope", "nope does not exist"),
        (".query sumary", "Did you mean 'summary'"),
        (".run nope", "no run named 'nope'"),
    ],
)
def test_a_wrong_line_is_told_in_one_line(home, line, reason):
    result = script(home, line)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_for_many_answers_is_refused(home, tmp_path):
    result = script(home, "select 1", "--output", str(tmp_path / "answer.csv"))
    assert result.exit_code == 1
    assert not (tmp_path / "answer.csv").exists()
