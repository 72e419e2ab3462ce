"""Golden files: what a command printed when somebody last looked at it and found it good.

OWRAY_GOLDEN=write makes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"


def is_golden(name: str, text: str) -> bool:
    """Whether `text` is what the golden file says; shows both where it is not."""
    path = FOLDER / name
    if os.environ.get("OWRAY_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    golden = path.read_text()
    if text != golden:
        print(f"--- {path}\n{golden}--- now\n{text}")
    return text == golden
