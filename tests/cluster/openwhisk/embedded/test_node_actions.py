"""The Node runtime, and where it differs from the Python one."""

import pytest
from support.archives import archive


def node(api, name, code):
    return api.action(name, code, kind="nodejs:default")


def test_a_node_action_runs_cold_and_then_warm(api, name):
    made = node(api, name, "let calls = 0\nfunction main (args) { return { ...args, calls: ++calls } }\n").json
    assert made["exec"]["kind"].startswith("nodejs:")
    first, second = api.invoke(name, {"a": [1]}), api.invoke(name, {"a": [1]})
    assert first.cold
    assert not second.cold
    assert (first.result, second.result) == ({"a": [1], "calls": 1}, {"a": [1], "calls": 2})


@pytest.mark.parametrize(
    "code",
    [
        "exports.main = () => ({ n: 1 })",
        "const main = async () => ({ n: 1 })",
        "module.exports = { main: () => Promise.resolve({ n: 1 }) }",
    ],
)
def test_main_is_a_function_or_an_export_and_may_be_asynchronous(api, name, code):
    node(api, name, code)
    assert api.invoke(name).result == {"n": 1}


def test_a_throw_is_a_developer_error_and_ends_the_container(api, name):
    node(api, name, "function main (args) { if (args.x) throw new Error('no'); return {} }")
    assert api.invoke(name).cold
    reply = api.invoke(name, {"x": 1})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == {"error": "An error has occurred: Error: no"}
    assert api.invoke(name).cold


def test_a_rejected_promise_is_an_application_error_and_keeps_the_container(api, name):
    node(api, name, "async function main (args) { if (args.x) throw new Error('no'); return {} }")
    reply = api.invoke(name, {"x": 1})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "application error"
    assert reply.result == {"error": "Error: no"}
    assert not api.invoke(name).cold


@pytest.mark.parametrize(
    ("value", "status", "result"), [("undefined", 200, {}), ("7", 502, {"error": "The action did not return a dictionary or array."})]
)
def test_nothing_is_an_empty_object_and_a_number_is_an_error(api, name, value, status, result):
    node(api, name, f"function main () {{ return {value} }}")
    reply = api.invoke(name)
    assert (reply.status, reply.result) == (status, result)


@pytest.mark.parametrize("code", ["function main ( {", "function other () {}", "throw new Error('at load')", "process.exit(1)"])
def test_code_that_does_not_load_is_a_developer_error(api, name, code):
    node(api, name, code)
    reply = api.invoke(name)
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.cold


def test_a_node_action_that_exits_is_a_developer_error(api, name):
    node(api, name, "function main () { process.exit(1) }")
    assert api.invoke(name).result == {"error": "The action did not produce a valid response and exited unexpectedly."}


def test_a_node_action_finds_its_circumstances_in_the_environment(api, name):
    node(api, name, "function main () { return { id: process.env.__OW_ACTIVATION_ID, path: process.env.__OW_ACTION_NAME } }")
    for _ in range(2):
        reply = api.invoke(name)
        assert reply.result == {"id": reply.json["activationId"], "path": f"/guest/{name}"}


ADDS = "const { plus } = require('./lib/plus')\nexports.main = a => ({ n: plus(a.n), p: require('hello').text })\n"
PLUS = "exports.plus = n => n + 1\n"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "files",
    [
        {"index.js": ADDS, "lib/plus.js": PLUS},
        {"package.json": '{"name": "x", "main": "src/start.js"}', "src/start.js": ADDS.replace("./", "../"), "lib/plus.js": PLUS},
    ],
)
def test_an_archive_is_a_package_with_its_modules(api, name, files, packed):
    files |= {"node_modules/hello/index.js": "exports.text = 'hé'\n"}
    made = node(api, name, archive(files, packed=packed)).json
    assert made["exec"]["binary"] is True
    assert api.invoke(name, {"n": 1}).result == {"n": 2, "p": "hé"}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (archive({"main.js": ADDS}), "Zipped actions must contain either package.json or index.js at the root."),
        (archive({"index.js": "exports.other = 1"}), "it has no function 'main'"),
        ("abcd", "the code is not a zip archive"),
    ],
)
def test_an_archive_that_is_no_package_is_a_developer_error(api, name, code, text):
    node(api, name, code)
    assert api.invoke(name).result == {"error": f"Initialization has failed due to: Error: {text}"}


def test_an_archive_cannot_write_outside_of_its_containers_folder(api, name, tmp_path):
    out = tmp_path / "out.js"
    files = {
        "index.js": "exports.main = () => ({ files: require('fs').existsSync('.' + __dirname) })",
        f"../../../../../../../../{out}": "1",
    }
    node(api, name, archive(files))
    assert api.invoke(name).status == 200
    assert not out.exists()
