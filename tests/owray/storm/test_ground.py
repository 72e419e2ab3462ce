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
    told = gateway("https://ow.example").authorities
    assert told.count("BEGIN CERTIFICATE") == 2
    assert "PRIVATE" not in told
    assert gateway("http://ow.example").authorities == ""


@pytest.mark.parametrize("file", ["", "/nowhere/there.pem"])
def test_without_such_a_file_the_machines_own_certificates_are_trusted(file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", file)
    assert gateway("https://ow.example").authorities == ""
