"""The target as invokers need it: also what they cannot look up themselves."""

import pytest
from support.certificates import self_signed

from owray.fleet.cluster import RayCluster
from owray.openwhisk.target import Target
from owray.storm.ground import Ground


def gateway(api_host, **values):
    return Ground(Target(api_host, "uuid:key", **values), RayCluster("127.0.0.1:1")).gateway()


def test_the_port_is_the_schemes_own_where_none_is_named():
    assert (gateway("https://ow.example").port, gateway("http://ow.example").port, gateway("https://ow.example:8443").port) == (
        443,
        80,
        8443,
    )
    assert gateway("https://ow.example", insecure=True, namespace="team").insecure
    assert gateway("https://ow.example", namespace="team").namespace == "team"


def test_the_certificates_of_ssl_cert_file_go_with_it_and_nothing_else_of_the_file(tmp_path, monkeypatch):
    _, certificate = self_signed(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(b"# \xc3\x9cber alle\n" + certificate.read_bytes() + (tmp_path / "key.pem").read_bytes() + certificate.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(both))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    told = gateway("https://ow.example").authorities
    assert told.count("BEGIN CERTIFICATE") == 1  # it is in the file twice
    assert "PRIVATE" not in told
    assert gateway("http://ow.example").authorities == ""


def test_what_ssl_cert_dir_holds_under_hashed_names_goes_with_it(tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("one", "two", "missing")]
    for folder in folders[:2]:
        folder.mkdir()
        _, certificate = self_signed(folder)
        (folder / "0123abcd.0").symlink_to(certificate)
    certificate.with_name("other.pem").write_bytes((folders[0] / "certificate.pem").read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(folders[0] / "certificate.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", ":".join(map(str, folders)))
    told = gateway("https://ow.example").authorities
    assert told.count("BEGIN CERTIFICATE") == 2
    assert certificate.read_text().strip() in told


@pytest.mark.parametrize("file", ["", "/nowhere/there.pem"])
def test_without_such_a_file_the_machines_own_certificates_are_trusted(file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", file)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert gateway("https://ow.example").authorities == ""
