"""`owray target`, and storms on an OpenWhisk of one's own: a second embedded platform over TLS, with a certificate that nobody knows."""

import base64
import json
import subprocess
from pathlib import Path

import psutil
import pytest
from support.golden import is_golden
from support.storms import Command, command_line, lab_of, owray
from support.tls_front import own_openwhisk

from cluster import processes
from cluster.state import lab_names
from owray.commands.target import lines
from owray.openwhisk.inspect import Capacity, Generation, Inspection, NamespaceLimits, Range
from owray.openwhisk.reach import Reach, RoundTrip, Tls
from owray.record.run import RunFolder

FULL = Inspection(
    api_host="https://ow.example",
    namespace="team",
    reach=Reach("192.0.2.7", 4.2, 11.8, 25.1, Tls("TLSv1.3", True, "ow.example", "Example Authority", "Nov 26 17:38:31 2026 GMT")),
    round_trip=RoundTrip(9, 11.2, 12.04),
    api_version="1.0.0",
    build="2026-08-05T01:02:03Z",
    build_number="20260805",
    generation=Generation("FPC", "it counts what schedulers do"),
    limits=NamespaceLimits(6000, 300, 60, Range(128, 512), Range(100, 300_000), "1 MB", ("nodejs:20",)),
    kinds=("nodejs:20", "python:3.10", "python:3.11"),
    default_kinds=("nodejs:20", "python:3.10"),
    invokers={"unhealthy": 1, "up": 3},
    capacity=Capacity(8, 256, "2,048 MB for containers"),
)
SPARSE = Inspection(
    api_host="http://192.0.2.7:10001",
    namespace="guest",
    reach=Reach("192.0.2.7", 0.1, 0.2),
    round_trip=RoundTrip(9, 0.31, 0.36),
    api_version="",
    build="",
    build_number="",
    generation=Generation(None, "nothing that it shows differs; a 429 without a count would mean FPC"),
    limits=NamespaceLimits(60, 30, None, Range(None, None), Range(None, None), None, None),
    kinds=None,
    default_kinds=None,
    invokers=None,
    capacity=Capacity(None, 256, "the memory for containers is not shown"),
)


@pytest.mark.parametrize(("seen", "name"), [(FULL, "target_full.txt"), (SPARSE, "target_sparse.txt")])
def test_what_is_known_and_what_cannot_be_told(seen, name):
    assert is_golden(name, "\n".join(lines(seen)) + "\n")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with own_openwhisk(tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def user(own, tmp_path):
    """Variables of a user who has an OpenWhisk, and a ~/.wskprops that names it."""
    home = tmp_path / "user"
    home.mkdir()
    own.write_wskprops(home / ".wskprops")
    return {"HOME": str(home), "WSK_CONFIG_FILE": None}


def test_ones_own_openwhisk_is_checked_over_tls(own, user, tmp_path):
    answer = owray("target", home=tmp_path / "home", variables={**user, "SSL_CERT_FILE": str(own.certificate)})
    assert (answer.returncode, answer.stderr) == (0, "")
    first, *rows = answer.stdout.splitlines()
    assert first == f"target     {own.api_host} (guest), from ~/.wskprops"
    names = ["reached", "TLS", "version", "generation", "namespace", "limits", "actions", "kinds", "invokers", "capacity"]
    assert [row.split()[0] for row in rows] == names
    assert "certificate of 127.0.0.1, by 127.0.0.1" in rows[1]
    assert own.auth.partition(":")[2] not in answer.stdout


def test_it_is_json_for_machines(own, user, tmp_path):
    answer = owray("target", "--json", "--insecure", home=tmp_path / "home", variables=user)
    document = json.loads(answer.stdout)
    fields = list(Inspection.__dataclass_fields__)
    assert list(document) == ["version", "why", *fields]
    assert (document["version"], document["namespace"], document["reach"]["tls"]["checked"]) == (1, "guest", False)


@pytest.fixture(scope="module")
def refusals(own, tmp_path_factory):
    """What each of these says, by the words that it has to say; all asked for at once, where no lab is up."""
    folder = tmp_path_factory.mktemp("refusals")
    wrong = folder / "wrong"
    wrong.write_text("somebody:else")
    plain = own.platform.target.api_host
    asked = {
        "nobody known here vouches for: self-signed certificate.  (SSL_CERT_FILE=FILE names": ("target",),
        "nobody known here vouches for: self-signed certificate.  (SSL_CERT_FILE": ("storm", "--action", "noop"),
        "answered 401: The supplied authentication is invalid.": ("target", "--insecure", "--auth-file", wrong),
        f"the key is not accepted; check it in {wrong}": ("storm", "--action", "noop", "--insecure", "--auth-file", wrong),
        "cannot be resolved.  (check the address in --api-host)": ("target", "--api-host", "https://no-such-host.invalid"),
        "http:// instead of https:// in --api-host?": ("target", "--api-host", plain.replace("http:", "https:")),
        "--lab and --api-host each name a target.": ("storm", "--action", "noop", "--lab", "local", "--api-host", plain),
        "--lab and --auth-file each name a target.": ("target", "--lab", "local", "--auth-file", wrong),
        "no lab named 'elsewhere' is up.": ("target", "--lab", "elsewhere"),
        "'ftp://here' is no API host": ("target", "--api-host", "ftp://here"),
        "does not exist": ("target", "--auth-file", folder / "missing"),
    }
    props = own.write_wskprops(folder / "wskprops")
    commands = {
        words: Command(*words_of, home=folder / "home", variables={"WSK_CONFIG_FILE": str(props)}) for words, words_of in asked.items()
    }
    return {words: command.end() for words, command in commands.items()}, own, folder


@pytest.mark.parametrize("number", range(11))
def test_what_cannot_be_used_is_said_in_one_line_with_its_cure(refusals, number):
    said, own, _ = refusals
    words, result = list(said.items())[number]
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("target     ")]
    assert line.startswith("owray: ")
    assert words in line
    assert own.auth.partition(":")[2] not in line
    assert len(result.stdout.splitlines()) <= 1


def test_no_lab_is_brought_up_for_a_target_that_cannot_be_used(refusals):
    _, _, folder = refusals
    assert lab_names(folder / "home") == []
    assert not list(folder.glob("home/runs/run=*"))


def test_without_anything_that_names_one_it_says_how_to_name_one(tmp_path):
    answer = owray("target", home=tmp_path / "home")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "owray: nothing names an OpenWhisk: no lab that has one is up, and there is no wskprops file.  "
        "(--api-host and --auth-file name one; owray up local makes one)\n"
    )


def test_a_storm_on_ones_own_openwhisk_borrows_a_ray_and_nothing_else(own, user, tmp_path):
    variables = {**user, "SSL_CERT_FILE": str(own.certificate), "WHISK_AUTH": own.auth}
    with Command(
        *("storm", "--rps", 10, "--duration", "2s", "--action", "noop", "--json"),
        home=tmp_path / "home",
        runs=tmp_path / "runs",
        variables=variables,
    ) as storm:
        folder = storm.wait_until(0.5)
        (name,) = lab_names(tmp_path / "home")
        state = json.loads((tmp_path / "home" / "labs" / name / "state.json").read_text())
        marks = processes.of_lab(state["lab_id"])
        spoken = [command_line(pid) for pid in psutil.pids()]
        heard = [Path(f"/proc/{mark.pid}/environ").read_bytes() for mark in marks if mark.role in ("raylet", "gcs_server")]
        result = storm.end()
    assert (state["openwhisk"], state["platform"]) == ("none", None)
    document = json.loads(result.stdout)
    assert document["summary"]["outcomes"] == [["ok", 20]]
    assert folder.load().target["api_host"] == own.api_host
    assert f"target     {own.api_host}" in result.stderr
    assert lab_names(tmp_path / "home") == []
    key = own.auth.partition(":")[2]
    secrets = [key.encode(), base64.b64encode(own.auth.encode())]
    assert len(heard) == 2
    assert not any(secret in text for secret in secrets for text in heard), "the services of the lab have no use for the key"
    assert not any(secret in text.encode() for secret in secrets for text in (*spoken, result.stdout, result.stderr))
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []


def test_a_lab_that_is_up_lends_its_ray_to_a_storm_on_ones_own_openwhisk(lab_home, own, tmp_path):
    before = lab_of(lab_home)
    result = owray(
        *("storm", "--rps", 10, "--duration", "1s", "--action", "noop", "--api-host", own.api_host, "--insecure", "--json"),
        home=lab_home,
        runs=tmp_path / "runs",
        variables={"WHISK_AUTH": own.auth},
    )
    assert f"target     {own.api_host}, from --api-host, key from WHISK_AUTH; its certificate is not checked (--insecure)" in result.stderr
    document = json.loads(result.stdout)
    assert document["summary"]["outcomes"] == [["ok", 10]]
    assert RunFolder(Path(document["path"])).load().target["api_host"] == own.api_host
    assert lab_names(lab_home) == ["local"]
    assert lab_of(lab_home) == before


def test_a_lab_that_is_up_goes_before_the_usual_wskprops_file(lab_home, user):
    answer = owray("target", home=lab_home, variables=user)
    up = lab_of(lab_home).api_host
    assert answer.stdout.startswith(f"target     {up}, lab 'local', which is up and goes before ~/.wskprops\n"), answer.stderr
    assert owray("target", "--lab", "local", home=lab_home, variables=user).stdout.startswith(f"target     {up}, lab 'local', by --lab\n")


def test_a_folder_of_certificates_is_trusted_by_the_preflight_and_by_the_invokers(lab_home, own, tmp_path):
    certificate = ["openssl", "x509", "-noout", "-hash", "-in", str(own.certificate)]
    name = subprocess.run(certificate, check=True, capture_output=True, text=True).stdout.strip()
    (folder := tmp_path / "certificates").mkdir()
    (folder / f"{name}.0").symlink_to(own.certificate)
    variables = {"SSL_CERT_DIR": str(folder), "WHISK_AUTH": own.auth}
    storm = ("storm", "--rps", 10, "--calls", 10, "--action", "noop", "--api-host", own.api_host, "--json")
    result = owray(*storm, home=lab_home, runs=tmp_path / "runs", variables=variables)
    assert json.loads(result.stdout)["summary"]["outcomes"] == [["ok", 10]]
