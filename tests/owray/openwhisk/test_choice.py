"""Which OpenWhisk is meant: the order of what can name one, and what is said of half a name."""

from pathlib import Path

import pytest

from owray.openwhisk.choice import Asked, LabPlatform, choose
from owray.openwhisk.target import TargetError

SECRET = "k" * 64


def key(owner):
    """Tells whose it is, and can be looked for."""
    return f"{owner}:{SECRET}"


@pytest.fixture
def home(tmp_path):
    return tmp_path


def props(path, owner, namespace="_", **left_out):
    lines = {"APIHOST": f"{owner}.example", "AUTH": key(owner), "NAMESPACE": namespace}
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items() if name not in left_out))
    return path


@pytest.fixture
def pick(home):
    """Chooses, in a home of its own; `lab` is the lab that is up, if any."""

    def choice(asked=None, lab=None, **variables):
        return choose(asked or Asked(), {"HOME": str(home), **variables}, lambda: lab)

    return choice


@pytest.fixture
def everything(home):
    """Each place names an OpenWhisk of its own."""
    props(home / ".wskprops", "usual")
    return {
        "asked": {"api_host": "https://option.example", "auth_file": props(home / "given", "given")},
        "variables": {
            "WHISK_APIHOST": "variable.example",
            "WHISK_AUTH": key("variable"),
            "WSK_CONFIG_FILE": str(props(home / "other", "other")),
        },
        "lab": LabPlatform("local", props(home / "lab", "lab")),
    }


def test_places_go_before_each_other_in_the_order_of_the_table(pick, everything, home):
    asked, variables, lab = everything["asked"], everything["variables"], everything["lab"]
    file = {"WSK_CONFIG_FILE": variables["WSK_CONFIG_FILE"]}
    chosen = [
        pick(Asked(lab="local"), lab, **variables),
        pick(Asked(**asked), lab, **variables),
        pick(Asked(auth_file=asked["auth_file"]), lab, **variables),
        pick(None, lab, **variables),
        pick(None, lab, **file),
        pick(None, lab),
        pick(),
    ]
    hosts = ["lab", "option", "given", "variable", "other", "lab", "usual"]
    keys = ["lab", "given", "given", "variable", "other", "lab", "usual"]
    assert [one.target.api_host for one in chosen] == [f"https://{name}.example" for name in hosts]
    assert [one.target.auth for one in chosen] == [key(name) for name in keys]
    assert [one.of_lab for one in chosen] == [True, False, False, False, False, True, False]
    assert not any(SECRET in one.line + repr(one) for one in chosen)
    (home / ".wskprops").unlink()
    assert pick() is None


def test_the_line_says_which_is_used_and_why(pick, everything, home):
    lab = everything["lab"]
    assert pick().line == "target     https://usual.example, from ~/.wskprops"
    assert pick(None, lab).line == "target     https://lab.example, lab 'local', which is up and goes before ~/.wskprops"
    assert pick(Asked(lab="local"), lab).line == "target     https://lab.example, lab 'local', by --lab"
    assert pick(Asked(api_host="http://direct:10001")).line == "target     http://direct:10001, from --api-host, key from ~/.wskprops"
    other = props(home / "other", "other", namespace="team")
    assert pick(WSK_CONFIG_FILE=str(other)).line == f"target     https://other.example (team), from {other} (WSK_CONFIG_FILE)"
    (home / ".wskprops").unlink()
    assert pick(None, lab).line == "target     https://lab.example, lab 'local', which is up"


def test_an_unchecked_certificate_is_in_the_line_where_there_is_one(pick, everything):
    assert pick(Asked(insecure=True)).line.endswith("; its certificate is not checked (--insecure)")
    assert pick(Asked(insecure=True)).target.insecure
    assert pick(Asked(api_host="http://here", insecure=True)).line.endswith("key from ~/.wskprops")


@pytest.mark.parametrize("other", [{"api_host": "here"}, {"auth_file": Path("key")}])
def test_a_target_that_is_named_twice_is_refused(pick, other):
    with pytest.raises(TargetError, match=r"--lab and --(api-host|auth-file) each name a target.  \(leave one of them out\)"):
        pick(Asked(lab="local", **other))


def test_a_lab_is_only_looked_for_where_it_matters(home):
    def look():
        raise AssertionError("nobody asked for a lab")

    props(home / ".wskprops", "usual")
    assert choose(Asked(api_host="here"), {"HOME": str(home)}, look)
    assert choose(Asked(), {"HOME": str(home), "WHISK_APIHOST": "here"}, look)


def test_a_namespace_belongs_to_its_key(pick, home):
    props(home / ".wskprops", "usual", namespace="usual")
    assert pick().target.namespace == "usual"
    assert pick(WHISK_NAMESPACE="wanted").target.namespace == "wanted"
    assert pick(WHISK_AUTH=key("variable")).target.namespace == "_", "the file's namespace is that of the file's key"
    (home / "key").write_text(key("given"))
    assert pick(Asked(auth_file=home / "key"), WHISK_NAMESPACE="wanted").target.namespace == "_"


@pytest.mark.parametrize("text", ["given:{secret}", "\n given:{secret}\n", "AUTH=given:{secret}\n", "AUTH = given:{secret}\nAPIHOST=\n"])
def test_a_key_may_stand_alone_in_its_file_or_as_wsk_writes_it(pick, home, text):
    props(home / ".wskprops", "usual")
    (home / "key").write_text(text.format(secret=SECRET))
    chosen = pick(Asked(auth_file=home / "key"))
    assert (chosen.target.auth, chosen.target.api_host) == (key("given"), "https://usual.example")


@pytest.mark.parametrize("text", ["", f"no-colon-{SECRET}", f"two:{SECRET} words", "APIHOST=here\n", f"one:{SECRET}\ntwo:{SECRET}\n"])
def test_a_file_without_a_key_is_refused_and_not_quoted(pick, home, text):
    (home / "key").write_text(text)
    with pytest.raises(TargetError, match="has no key") as caught:
        pick(Asked(api_host="here", auth_file=home / "key"))
    assert SECRET not in str(caught.value)


def test_a_key_file_that_cannot_be_read_says_why(pick, home):
    with pytest.raises(TargetError, match="nothing-there does not exist"):
        pick(Asked(api_host="here", auth_file=home / "nothing-there"))
    with pytest.raises(TargetError, match="cannot be read: Is a directory"):
        pick(Asked(api_host="here", auth_file=home))
    (home / "picture").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(TargetError, match="is no text"):
        pick(Asked(api_host="here", auth_file=home / "picture"))


def test_half_a_target_says_which_half_is_missing(pick, home):
    with pytest.raises(TargetError, match=r"no key for the host from --api-host.  \(--auth-file FILE names one"):
        pick(Asked(api_host="https://user:hunter2@here"))
    with pytest.raises(TargetError, match=r"no host for the key from WHISK_AUTH.  \(--api-host HOST names one\)"):
        pick(WHISK_AUTH=key("variable"))
    props(home / ".wskprops", "usual", AUTH=False)
    with pytest.raises(TargetError, match=r"no key for the host from ~/\.wskprops"):
        pick()
    with pytest.raises(TargetError, match="--api-host is empty"):
        pick(Asked(api_host=""))


def test_a_wskprops_file_that_names_nothing_is_as_good_as_none(pick, home):
    (home / ".wskprops").write_text("APIVERSION=v1\n")
    assert pick() is None
    props(home / ".wskprops", "usual")
    assert pick(WSK_CONFIG_FILE="") is None, "set and empty: there is none, as wsk has it"


def test_a_file_that_is_named_has_to_be_there_and_to_name_something(pick, home):
    with pytest.raises(TargetError, match=r"WSK_CONFIG_FILE names .*gone, which does not exist"):
        pick(WSK_CONFIG_FILE=str(home / "gone"))
    (home / "empty").touch()
    with pytest.raises(TargetError, match=r"empty \(WSK_CONFIG_FILE\) has neither APIHOST nor AUTH"):
        pick(WSK_CONFIG_FILE=str(home / "empty"))
    with pytest.raises(TargetError, match=r"cannot be read: Is a directory"):
        pick(WSK_CONFIG_FILE=str(home))
