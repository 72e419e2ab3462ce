"""`owray storm --plan` and `--trace` as users have them: a process of its own, on a real lab."""

import json
from pathlib import Path

from support.storms import Command, calls_of, owray

from owray.record.listed import plan_of
from owray.record.run import RunFolder

CSV = 't_s,action,size,params\n0.9,noop,,\n0.1,sleep,small,\n0.5,sleep,medium,"{""ms"": 20}"\n0.5,noop,,\n0.7,noop,,\n'


def test_a_file_of_calls_is_played_by_two_invokers_and_kept_with_the_run(lab_home, tmp_path):
    plan = tmp_path / "plan.csv"
    plan.write_text(CSV)
    runs = tmp_path / "runs"
    played = owray("storm", "--plan", plan, "--invokers", 2, "--no-preflight", "--json", home=lab_home, runs=runs)
    assert played.returncode in (0, 3), played.stderr
    folder = RunFolder(Path(json.loads(played.stdout)["path"]))
    rows = calls_of(folder)
    assert [(row["intended_us"], row["action"], row["size"], row["outcome"]) for _, row in sorted(rows.items())] == [
        (100_000, "sleep", "small", "ok"),
        (500_000, "sleep", "medium", "ok"),
        (500_000, "noop", "small", "ok"),
        (700_000, "noop", "small", "ok"),
        (900_000, "noop", "small", "ok"),
    ]
    assert {seq: row["invoker"] for seq, row in rows.items()} == {seq: seq % 2 for seq in range(5)}
    assert sum(map(len, plan_of(folder, folder.load().recipe).windows())) == 5
    assert [path.name for path in runs.iterdir()] == [folder.path.name]  # nothing else is left
    (balance,) = json.loads(owray("query", "reconcile", "--format", "json", home=lab_home, runs=runs).stdout)
    assert (balance["planned"], balance["rows"], balance["missing"], balance["foreign"]) == (5, 5, 0, 0)
    folder.plan.unlink()
    gone = owray("query", "reconcile", home=lab_home, runs=runs)
    assert gone.returncode == 1
    assert gone.stderr.startswith(f"owray: cannot read {folder.plan}, the calls that the run planned: No such file")
    assert gone.stderr.count("\n") == 1


REFUSED = {
    "--plan lee2019: no such file, nor a plan of owray's own. Did you mean 'lee2018'?": ("--plan", "lee2019", "--action", "noop"),
    "--plan nope.csv: No such file or directory": ("--plan", "nope.csv", "--action", "noop"),
    "--plan and --trace: one of them": ("--plan", "x.csv", "--trace", "synthetic"),
    "--scale and --speed change a --plan or a --trace": ("--scale", 2, "--action", "noop"),
    "--trace-window and --trace-format are for --trace": ("--trace-window", "0s..1m", "--action", "noop"),
    "--rps and --plan: one of them says how many calls are due when": ("--plan", "lee2018", "--rps", 5, "--action", "noop"),
    "--duration: --plan says itself how long it lasts": ("--plan", "lee2018", "--duration", "5s", "--action", "noop"),
    "--arrivals poisson: --trace says itself when each call is due": ("--trace", "synthetic", "--arrivals", "poisson"),
    "--concurrency: leave it out with --plan and --trace": ("--plan", "x.csv", "--concurrency", 2, "--action", "noop"),
    "--mix: leave it out with --plan and --trace": ("--trace", "synthetic", "--mix", "noop=1"),
    "--streams: leave it out with --plan and --trace": ("--plan", "lee2018", "--streams", "x.toml"),
    "name what is to be called": ("--plan", "lee2018"),
}


def test_what_cannot_be_played_is_refused_in_one_line(tmp_path):
    commands = {words: Command("storm", *options, home=tmp_path / "home", runs=tmp_path / "runs") for words, options in REFUSED.items()}
    for words, command in commands.items():
        result = command.end()
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.stderr
        assert words in result.stderr
    assert not list((tmp_path / "runs").iterdir())
