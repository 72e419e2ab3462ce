"""Makes the checksums that a manifest expects, or compares them with what the source gives now.

    python -m actions                  writes the [expected] table of every manifest
    python -m actions align noop       of these only
    python -m actions --check          writes nothing; exit code 1 when one of them differs

A changed checksum means that an action no longer computes what it did, and that runs of before and after cannot be compared: the
difference is to be looked at in version control before it is believed. Python actions run in the interpreter that runs this, others in
`node`. A reply that is not `ok` is never written down.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actions.runner import replies

SEEDS = (1, 2, 3, 4, 5, 6, 7, 8, 42)
FOLDER = Path(__file__).parent
HEADING = "[expected]  # checksum of each seed, by size; made by: python -m actions\n"


def main() -> int:
    options = _options()
    names = options.names or sorted(manifest.parent.name for manifest in FOLDER.glob("*/manifest.toml"))
    differing = [name for name in names if not _renew(FOLDER / name / "manifest.toml", check=options.check)]
    if differing and options.check:
        sys.stderr.write(f"expected results differ for {', '.join(differing)}: look why, then run python -m actions\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m actions", description="makes the expected results of the actions")
    parser.add_argument("names", nargs="*", help="actions; all when none is named")
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 when a result differs")
    return parser.parse_args()


def _renew(manifest: Path, *, check: bool) -> bool:
    """Whether the manifest held what the source gives; it does afterwards, unless `check` forbids to write."""
    text = manifest.read_text()
    head, _, _ = text.partition(HEADING)
    renewed = head.rstrip() + "\n\n" + HEADING + _expected_lines(manifest.parent, tomllib.loads(text))
    if renewed != text and not check:
        manifest.write_text(renewed)
    return renewed == text


def _expected_lines(folder: Path, manifest: Mapping[str, Any]) -> str:
    source = folder / manifest["source"]
    interpreter = "node" if source.suffix == ".js" else sys.executable
    calls = [{"size": size, "seed": seed} for size in manifest["sizes"] for seed in SEEDS]
    answered = replies(source, calls, interpreter)
    checksums: dict[str, dict[int, str]] = {size: {} for size in manifest["sizes"]}
    for call, reply in zip(calls, answered, strict=True):
        if not reply.get("ok"):
            raise SystemExit(f"{folder.name} is not content with its own result for {call}: {reply}")
        checksums[call["size"]][call["seed"]] = reply["checksum"]
    return "".join(f"{size} = {{ {_pairs(by_seed)} }}\n" for size, by_seed in checksums.items())


def _pairs(checksums: dict[int, str]) -> str:
    return ", ".join(f'{seed} = "{checksum}"' for seed, checksum in checksums.items())


if __name__ == "__main__":
    sys.exit(main())
