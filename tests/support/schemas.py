"""The JSON Schemas of docs/schemas: held against what commands print, and turned into the sections of docs/json.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"

Schema = Mapping[str, Any]


def schemas() -> dict[str, Schema]:
    """All of them by command; a file's name has hyphens where the command has spaces."""
    return {path.stem.replace("-", " "): json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def check(command: str, text: str) -> dict[str, Any]:
    """What a command printed, held against its schema; a key that the schema does not know is an error, too."""
    document = json.loads(text)
    jsonschema.Draft202012Validator(_closed(schemas()[command])).validate(document)
    return document


def sections() -> str:
    """The part of docs/json.md that is made of them."""
    return "\n".join(_section(schema) for schema in schemas().values())


def _closed(schema: Any) -> Any:
    """The same schema, with no keys but those it names: others may come later, but not without being written down."""
    if isinstance(schema, dict):
        closed = {key: _closed(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            closed.setdefault("additionalProperties", False)
        return closed
    return [_closed(each) for each in schema] if isinstance(schema, list) else schema


def _section(schema: Schema) -> str:
    lines = [f"## {schema['title']}", "", schema["description"], "", "| key | type | |", "|---|---|---|"]
    lines += [f"| `{key}` | {kind} | {meaning} |" for key, kind, meaning in _rows(schema, "")]
    return "\n".join(lines) + "\n"


def _rows(schema: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    """Every key below, with its type and meaning."""
    inner = [(f"{path}.{name}".lstrip("."), each) for name, each in schema.get("properties", {}).items()]
    if isinstance(schema.get("additionalProperties"), dict):
        inner.append((f"{path}.*", schema["additionalProperties"]))
    if isinstance(schema.get("items"), dict):
        yield from _rows(schema["items"], f"{path}[]")
    for key, each in inner:
        yield key, _kind(each), each.get("description", "")
        yield from _rows(each, key)


def _kind(schema: Schema) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " or ".join({None: "null", "": "empty"}.get(value, f"`{value}`") for value in schema["enum"])
    kinds = schema.get("type", "any")
    told = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    items = schema.get("items")
    return told.replace("array", f"array of {_kind(items)}") if isinstance(items, dict) else told
