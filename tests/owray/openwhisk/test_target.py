"""A target is read and written, and its key is never shown."""

import os
import pickle
import stat
from pathlib import Path

import pytest

from owray.openwhisk.target import Target, TargetError, read_wskprops, write_wskprops

KEY = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP"


@pytest.fixture
def target():
    return Target("http://127.0.0.1:3233", KEY, namespace="guest")


def test_the_key_is_in_the_header_and_nowhere_to_be_read(target):
    assert target.authorization.startswith("Basic ")
    for shown in (repr(target), str(target), f"{target}"):
        assert KEY not in shown
        assert KEY.partition(":")[2] not in shown


def test_what_was_written_is_read_again(tmp_path, target):
    path = tmp_path / "wskprops"
    write_wskprops(path, target)
    again = read_wskprops(path)
    assert (again.api_host, again.auth, again.namespace, again.source) == (target.api_host, KEY, "guest", str(path))


def test_a_file_of_credentials_and_its_name_are_on_disk(tmp_path, target, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    write_wskprops(tmp_path / "wskprops", target)
    unfinished, folder = synced
    assert (unfinished.suffix, unfinished.parent, folder) == (".tmp", tmp_path, tmp_path)


def test_a_written_file_is_for_its_owner_only_also_where_a_wider_one_was(tmp_path, target):
    path = tmp_path / "wskprops"
    path.write_text("APIHOST=old\n")
    path.chmod(0o644)
    write_wskprops(path, target)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_wsk_wrote_is_understood(tmp_path):
    path = tmp_path / "wskprops"
    path.write_text(f"# made by wsk\nAPIVERSION=v1\nAUTH = {KEY}\n\nnot a property\nAPIHOST=openwhisk.example:31001\n")
    target = read_wskprops(path)
    assert target.api_host == "https://openwhisk.example:31001"
    assert target.namespace == "_"


@pytest.mark.parametrize(
    ("text", "cause"),
    [("AUTH=a:b\n", "has no APIHOST"), ("APIHOST=localhost\n", "has no AUTH"), ("APIHOST=localhost\nAUTH=\n", "has no AUTH")],
)
def test_a_file_that_lacks_something_says_what(tmp_path, text, cause):
    path = tmp_path / "wskprops"
    path.write_text(text)
    with pytest.raises(TargetError, match=cause):
        read_wskprops(path)


def test_a_missing_file_is_named_with_the_way_to_make_it(tmp_path):
    with pytest.raises(TargetError, match=r"wskprops does not exist.  \(wsk property set"):
        read_wskprops(tmp_path / "wskprops")


@pytest.mark.parametrize(
    ("host", "cause"),
    [
        *((host, "is no API host; one looks like") for host in ("ftp://here", "https://", "http://host?x=1", "https://host#x", "")),
        *(
            (host, "is no API host; one looks like")
            for host in ("http://[::1", "http://a..b", "http://a\nb", "host name", "a\\b", "//host")
        ),
        (
            "https://host/api/v1",
            r"has a path, and owray calls /api/v1 of a host.  \(https://host alone, if OpenWhisk answers there too; else",
        ),
        ("http://host:81/prefix/", r"it has a path.*\(http://host:81 alone"),
        ("host/prefix", r"it has a path.*\(https://host alone"),
        ("https//host", r"it has a path"),
        *((host, "the port of the API host is no number from 1 to 65535") for host in ("http://host:port", "host:0", "host:99999")),
        *((host, r"stands in brackets, as in https://\[::1\]:443") for host in ("::1", "http://fe80::1:3233")),
    ],
)
def test_an_api_host_is_a_url_without_a_path(host, cause):
    with pytest.raises(TargetError, match=cause):
        Target(host, KEY)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://host:443/", "https://host:443"),
        ("host", "https://host"),
        ("localhost:3233", "https://localhost:3233"),
        ("HTTP://Host:", "http://host"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("[::1]", "https://[::1]"),
        ("b\u00fccher.example", "https://b\u00fccher.example"),
    ],
)
def test_an_api_host_may_be_written_as_people_do(written, meant):
    assert Target(written, KEY).api_host == meant


@pytest.mark.parametrize("auth", ["", "no-colon-secret", ":secret", "secret:", "uuid:secret\u00e4", "uuid:secret\n", "uuid:secret\x1b"])
def test_a_malformed_key_is_refused_without_being_quoted(auth):
    with pytest.raises(TargetError, match="uuid:key") as caught:
        Target("http://host", auth)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["https://user:hunter2@host", "user:hunter2@host", "https://user:hunter2@[::1", "https://u:hun/hunter2@host", "u:#hunter2@host"]
)
def test_credentials_do_not_hide_in_the_host(host):
    with pytest.raises(TargetError, match="belong into AUTH") as caught:
        Target(host, KEY)
    assert "hunter2" not in str(caught.value)


def test_a_key_where_the_host_belongs_is_not_quoted():
    with pytest.raises(TargetError, match="the port of the API host is no number") as caught:
        Target(KEY, "http://host")
    assert KEY.partition(":")[2] not in str(caught.value)


@pytest.mark.parametrize("namespace", ["", "..", "../../x", "a/b", "%2e%2e", "a%2Fb", " a", "a ", "a\nb", "a\x00", "?x", KEY])
def test_a_namespace_that_would_lead_elsewhere_is_refused_and_not_quoted(namespace):
    with pytest.raises(TargetError, match=r"the namespace is no name.  \(NAMESPACE, or WHISK_NAMESPACE, is to be one, or _ for") as caught:
        Target("http://host", KEY, namespace)
    assert KEY.partition(":")[2] not in str(caught.value)


@pytest.mark.parametrize("namespace", ["_", "guest", "me@example.org_dev", "my space", "a.b-c&d"])
def test_a_namespace_is_whatever_openwhisk_lets_one_be(namespace):
    assert Target("http://host", KEY, namespace).namespace == namespace


def test_a_target_travels_to_another_process(target):
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301 - our own bytes
