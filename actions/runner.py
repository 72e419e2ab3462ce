"""Runs an action outside any platform, in the interpreter one names: what makes expected results, and what tests compare.

One process answers a list of calls one after another, as one container would: the first call of it is a cold one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Both take the source's path as their argument and a line of JSON for each call on standard input. Node evaluates the source inside a
# function, as OpenWhisk's runtime does with an action of one file.
_PYTHON = """
import json, runpy, sys
main = runpy.run_path(sys.argv[1], run_name="main__")["main"]
for line in sys.stdin:
    print(json.dumps(main(json.loads(line))))
"""
_NODE = """
const fs = require('fs');
const main = eval(`(function () {\\n${fs.readFileSync(process.argv[1], 'utf8')}\\nreturn main;\\n})()`);
for (const line of fs.readFileSync(0, 'utf8').split('\\n').filter(Boolean)) console.log(JSON.stringify(main(JSON.parse(line))));
"""


class ActionFailedError(Exception):
    """The interpreter ended with an error; the text is what it wrote to standard error."""


def replies(
    source: Path, calls: Sequence[Mapping[str, Any]], interpreter: str, environment: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What the action answers to each call. The interpreter is Python's or Node's, as the source's suffix says."""
    script = ["-e", _NODE] if source.suffix == ".js" else ["-B", "-c", _PYTHON]
    lines = "".join(json.dumps(call) + "\n" for call in calls)
    done = subprocess.run([interpreter, *script, str(source)], input=lines, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise ActionFailedError(f"{interpreter} {source.name}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]
