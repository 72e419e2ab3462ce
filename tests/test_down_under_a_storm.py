"""`owray down` for a lab on which a storm is being played: refused, and done when it is forced."""

from support.labs import running_lab, traces
from support.storms import Command, owray


def test_a_lab_that_a_storm_is_played_on_is_removed_only_by_force(tmp_path):
    home, runs = tmp_path / "home", tmp_path / "runs"
    with (
        running_lab(home, "local"),
        Command("storm", "--rps", 10, "--duration", "60s", "--action", "noop", home=home, runs=runs) as storm,
    ):
        folder = storm.wait_until(0.2)
        held = traces(home, "local")
        refused = owray("down", home=home)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"owray: run {folder.run} is being played on lab 'local'.  "
            "(wait for its end, or stop the storm with Ctrl-C; --force removes the lab under it)\n"
        )
        assert storm.is_alive
        removed = owray("down", "--force", home=home)
        assert (removed.returncode, removed.stdout) == (0, "lab 'local' is removed\n")
        ended = storm.end()
    assert held.left() == []
    assert ended.returncode == 4
    assert f"owray recover {folder.run} accounts for every call" in ended.stderr
