"""The cores: how many, how much of them, and who else uses them."""

import os
import subprocess
import sys

import pytest
from support.machines import tree

from owray.health import cores
from owray.health.finding import Level, Machine

FOUR = "cpu 0 0 0 0 0 0 0 0\n" + "".join(f"cpu{core} 0 0 0 0 0 0 0 0\n" for core in range(4))


def only(findings):
    (found,) = findings
    return found


@pytest.mark.parametrize(
    ("ours", "level", "cure"),
    [((0, 1, 2, 3), Level.FINE, ""), ((0, 1), Level.BETTER, "taskset -c 0-3 owray ..."), ((2,), Level.BETTER, "taskset -c 0-3 owray ...")],
)
def test_cores_that_are_kept_from_us_could_be_better(tmp_path, ours, level, cure):
    found = only(cores.count(Machine(tree(tmp_path, {"proc/stat": FOUR})), ours))
    assert (found.level, found.cure, found.figures) == (level, cure, {"usable": len(ours), "online": 4})


def test_a_machine_with_one_core_could_be_better(tmp_path):
    found = only(cores.count(Machine(tree(tmp_path, {"proc/stat": "cpu 0\ncpu0 0\n"})), [0]))
    assert (found.level, found.cure) == (Level.BETTER, "take a machine with two cores or more")


V1 = {"proc/self/cgroup": "5:cpu,cpuacct:/docker/box\n1:name=systemd:/\n"}
V2 = {"proc/self/cgroup": "0::/a.slice/b.scope\n"}


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({**V2, "sys/fs/cgroup/a.slice/b.scope/cpu.max": "150000 100000"}, 1.5),
        ({**V2, "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000", "sys/fs/cgroup/a.slice/cpu.max": "50000 100000"}, 0.5),
        ({**V2, "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000"}, None),
        ({**V2, "sys/fs/cgroup/a.slice/b.scope/cpu.max": "800000 100000"}, None),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        # In a container the own group is the top of what can be seen.
        ({**V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "25000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 0.25),
        ({}, None),
    ],
)
def test_the_least_quota_of_all_groups_above_is_the_one_that_binds(tmp_path, files, allowed):
    found = only(cores.quota(Machine(tree(tmp_path, files)), usable=4))
    assert found.figures == {"cores": allowed}
    assert found.level is (Level.FINE if allowed is None else Level.BETTER)


class Passing:
    """A tree whose /proc/stat moves on each time it is read."""

    def __init__(self, *ticks):
        self._ticks = list(ticks)

    def read(self, path):
        assert path == "proc/stat"
        return self._ticks.pop(0)


def test_what_a_hypervisor_takes_and_what_others_use_is_told_from_what_passed_meanwhile():
    machine = Passing("cpu 100 0 100 1000 0 0 0 50 0 0", "cpu 130 0 110 1040 10 0 0 60 0 0")
    busy, steal = cores.load(machine, look_s=0.0)
    assert (busy.level, busy.figures) == (Level.BETTER, {"busy_share": 0.4})
    assert (steal.level, steal.figures) == (Level.BETTER, {"stolen_share": 0.1})


def test_idle_cores_are_fine():
    machine = Passing("cpu 100 0 100 1000 0 0 0 50 0 0", "cpu 101 0 101 1098 0 0 0 50 0 0")
    assert [found.level for found in cores.load(machine, look_s=0.0)] == [Level.FINE, Level.FINE]


def test_a_machine_that_counts_no_ticks_says_so(tmp_path):
    assert only(cores.load(Machine(tmp_path), look_s=0.0)).found == "cannot be told"


def test_this_machine_counts_its_ticks():
    busy, steal = cores.load(Machine(), look_s=0.2)
    assert 0 <= busy.figures["busy_share"] <= 1
    assert 0 <= steal.figures["stolen_share"] <= 1


@pytest.mark.parametrize(
    ("governors", "level"), [(["performance"] * 2, Level.FINE), (["powersave", "performance"], Level.BETTER), ([], Level.FINE)]
)
def test_a_governor_that_lets_cores_slow_down_could_be_better(tmp_path, governors, level):
    files = {f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor": name for core, name in enumerate(governors)}
    assert only(cores.governor(Machine(tree(tmp_path, files)))).level is level


def test_asking_for_real_time_does_not_keep_it():
    asked = "import os; from owray.health import cores; list(cores.priority()); print(os.sched_getscheduler(0) == os.SCHED_OTHER)"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=os.environ).stdout == "True\n"
