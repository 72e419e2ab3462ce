"""What holds for all tests: in CI (CI=true) nothing may skip, or a machine that lacks something would look green."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"
FROM_THE_KEYBOARD = {signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: signal.SIG_DFL}


def pytest_configure(config: pytest.Config) -> None:
    for number, usual in FROM_THE_KEYBOARD.items():
        if signal.getsignal(number) is signal.SIG_IGN:  # by the `&` of a shell, and then in all that tests start
            signal.signal(number, usual)
    if IN_CI:
        config.pluginmanager.register(_SkipsFail())


class _SkipsFail:
    """Turns a session in which something was skipped into a failed one, and says what and why."""

    def __init__(self) -> None:
        self._skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):  # an expected failure is reported as a skip
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._skipped.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._skipped:
            terminalreporter.section("skipped, which CI does not allow", red=True)
            for line in self._skipped:
                terminalreporter.line(line)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the project."""
    return ROOT
