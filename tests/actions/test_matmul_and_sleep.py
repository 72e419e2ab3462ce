"""What is particular to the microbenchmarks."""

import json
import subprocess

import pytest
from support.interpreters import node


@pytest.fixture(scope="module")
def evaluate(source_of):
    """Evaluates an expression beside the source of matmul_js."""
    source = source_of("matmul_js").read_text()
    interpreter = node() or pytest.skip("Node is not installed (Debian: nodejs)")

    def run(expression):
        script = f"(function () {{\n{source}\nconsole.log(JSON.stringify({expression}));\n}})()"
        return json.loads(subprocess.run([interpreter, "-e", script], capture_output=True, text=True, check=True).stdout)

    return run


def test_a_product_is_what_the_definition_says(evaluate):
    assert evaluate("Array.from(multiply([1, 2, 3, 4], [5, 6, 7, 8], 2))") == [19, 22, 43, 50]


@pytest.mark.parametrize(("order", "checksum"), [(64, "dd8ad4ae"), (128, "4169a670"), (256, "9697b4ef"), (512, "05ace05f")])
def test_seed_42_gives_the_published_checksums(evaluate, order, checksum):
    assert evaluate(f"main({{order: {order}, seed: 42}}).checksum") == checksum


def test_a_single_wrong_entry_is_noticed(evaluate):
    checks = "(() => { const {a, b} = makeInputs(64, 1); const p = multiply(a, b, 64); const right = isProduct(p, a, b, 64);"
    assert evaluate(checks + " p[100] += 1; return [right, isProduct(p, a, b, 64)]; })()") == [True, False]


def test_kept_matrices_are_bounded_and_change_nothing(evaluate):
    kept, size, fresh = evaluate(
        "(() => { const sums = []; for (let seed = 1; seed <= 20; seed++) sums.push(main({seed}).checksum); "
        "return [sums, cached.size, sums.map((_, i) => main({seed: i + 1, cache: false}).checksum)]; })()"
    )
    assert kept == fresh
    assert size <= 16


@pytest.mark.parametrize("milliseconds", [0, 5])
def test_sleep_takes_at_least_the_time_it_was_told(load_action, milliseconds):
    reply = load_action("sleep").main({"ms": milliseconds})
    assert reply["ok"]
    assert reply["t"]["io"] >= milliseconds * 1000
    assert reply["n"] == milliseconds


def test_sleep_refuses_to_go_back_in_time(load_action):
    with pytest.raises(ValueError, match="cannot sleep for -1 ms"):
        load_action("sleep").main({"ms": -1})


def test_noop_answers_for_the_seed_it_was_given(load_action):
    noop = load_action("noop")
    assert noop.main({"seed": 1})["checksum"] != noop.main({"seed": 2})["checksum"]
