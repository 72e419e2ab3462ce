"""Versions against what is asked for; ports; and checks that break off."""

from packaging.requirements import Requirement
from support.machines import tree

from owray.health import limits, software
from owray.health.finding import Level, Machine, examine


def levels(findings):
    return {found.check: found.level for found in findings}


def test_a_package_that_is_too_old_or_missing_is_wrong_and_the_others_are_told_in_one_line():
    needed = [Requirement("rich>=999"), Requirement("no-such-package>=1"), Requirement("typer>=0.1")]
    old, missing, good = software.dependencies(needed)
    assert (old.level, missing.level, good.level) == (Level.WRONG, Level.WRONG, Level.FINE)
    assert old.found.endswith(", not >=999")
    assert missing.found == "no-such-package is missing"
    assert list(good.figures) == ["typer"]


def test_a_python_that_owray_does_not_ask_for_is_wrong():
    assert levels(software.versions(python="3.9.1"))["Python"] is Level.WRONG
    assert levels(software.versions())["Python"] is Level.FINE


def test_a_checkout_that_is_not_installed_says_so():
    (found,) = software.versions("no-such-package")
    assert (found.level, found.cure) == (Level.BETTER, "make venv")


def ports(tmp_path, text, in_flight=None, **files):
    machine = Machine(tree(tmp_path, {"proc/sys/net/ipv4/ip_local_port_range": text, **files}))
    (found,) = limits.ports(machine, in_flight)
    return found


def test_enough_ports_for_a_usual_storm_may_be_too_few_for_the_calls_asked_for(tmp_path):
    assert ports(tmp_path, "32768\t60999").level is Level.FINE
    assert ports(tmp_path, "32768\t33267").level is Level.BETTER
    assert ports(tmp_path, "32768\t60999", in_flight=30_000).level is Level.WRONG


def test_what_becomes_of_closed_ports_is_told(tmp_path):
    found = ports(tmp_path, "32768 60999", **{"proc/sys/net/ipv4/tcp_tw_reuse": "0"})
    assert "not used again for 60 s" in found.found
    assert found.figures["tcp_tw_reuse"] == 0


def test_a_range_that_cannot_be_read_is_no_reason_to_say_it_is_wrong(tmp_path):
    (found,) = limits.ports(Machine(tmp_path), None)
    assert found.level is Level.BETTER


def test_a_check_that_breaks_off_does_not_keep_the_others_from_being_made():
    def broken():
        raise OSError("no such thing")
        yield

    first, second = examine({"first": broken, "second": limits.loopback})
    assert (first.check, first.level, first.found) == ("first", Level.BETTER, "could not be looked at: no such thing")
    assert second.check == "loopback"
