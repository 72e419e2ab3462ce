"""What the platform is told, and what it refuses to be told."""

import json
import stat

import pytest

from cluster.openwhisk.embedded.config import PROFILES, PUBLIC_GUEST, ConfigError, Knobs, PlatformConfig, Range, User


def test_a_saved_configuration_is_loaded_as_it_was_and_nobody_else_can_read_it(tmp_path):
    config = PlatformConfig(
        tmp_path / "state",
        (PUBLIC_GUEST,),
        port=4000,
        profile="standalone",
        overrides={"user_memory_mb": 4096, "timeout_ms": Range(1, 2, 3)},
        front_cores=(0,),
        container_cores=(1, 2),
    )
    path = tmp_path / "config.json"
    path.write_text("")
    path.chmod(0o644)
    config.save(path)
    loaded = PlatformConfig.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert loaded.knobs() == config.knobs()
    assert loaded.knobs().timeout_ms == Range(1, 2, 3)
    assert (loaded.users, loaded.port, loaded.container_cores) == (config.users, 4000, (1, 2))


def test_a_key_does_not_show_in_a_representation():
    assert PUBLIC_GUEST.key not in repr(PUBLIC_GUEST)


def test_the_standalone_profile_is_what_openwhisk_ships():
    knobs = PROFILES["standalone"]
    assert (knobs.invocations_per_minute, knobs.concurrent_invocations, knobs.user_memory_mb) == (60, 30, 1024)
    assert (knobs.timeout_ms, knobs.memory_mb, knobs.logs_mb) == (Range(100, 60_000, 300_000), Range(128, 256, 512), Range(0, 10, 10))
    assert knobs.log_store == "docker-cli"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", ""])  # noqa: S104 - that is refused
def test_only_loopback_is_listened_on(tmp_path, host):
    with pytest.raises(ConfigError, match="loopback"):
        PlatformConfig(tmp_path, (PUBLIC_GUEST,), host=host)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"profile": "benhc"}, r"no profile named 'benhc'\. Did you mean 'bench'\?  \(there are bench, helm, standalone\)"),
        ({"overrides": {"user_memory": 1}}, r"no knob named 'user_memory'\. Did you mean 'user_memory_mb'\?"),
        ({"overrides": {"user_memory_mb": 128}}, "would wait for ever; set user_memory_mb to at least 512"),
        ({"overrides": {"timeout_ms": 5}}, "takes least, default and greatest"),
        ({"users": ()}, "name at least one"),
    ],
)
def test_what_cannot_be_is_refused_with_its_cause_and_its_mending(tmp_path, changes, text):
    with pytest.raises(ConfigError, match=text):
        PlatformConfig(**{"state_dir": tmp_path, "users": (PUBLIC_GUEST,)} | changes)


def test_a_key_of_another_length_than_openwhisks_is_refused():
    with pytest.raises(ConfigError, match="has 3 characters; OpenWhisk's have 64"):
        User("guest", "uuid", "key")


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"state_dir": "/x", "users": [{"namespace": "x"}]})])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is not a configuration"):
        PlatformConfig.load(path)


def test_a_container_is_paused_after_ten_seconds_and_removed_ten_minutes_later():
    assert (Knobs().pause_grace_ms, Knobs().idle_container_ms) == (10_000, 600_000)
