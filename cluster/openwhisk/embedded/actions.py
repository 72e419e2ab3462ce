"""A stored action, and what a PUT makes of it. Actions are code; a sequence is an action too (`sequences`).

A PUT replaces exec, parameters, version and publish where it names them and inherits them where not; limits merge by field and
annotations by key. Every overwrite is a new version, and a new version is another action to the container pool: `identity` is what two
actions must share for a warm container of one to serve the other. The time of the update is not part of it, so an action that is deleted
and made again just as it was finds its containers again.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from cluster.openwhisk.embedded.answers import MALFORMED_BODY, encode, refusal, rejection
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entity import Entity, Pair, published, put_version, replaced
from cluster.openwhisk.embedded.kinds import Kind, Kinds
from cluster.openwhisk.embedded.limits import Limits, LimitsPatch, check_pairs, check_size, default_limits, patched

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)

SEQUENCE = "sequence"
"""The kind that is no runtime."""


class Exec(msgspec.Struct, frozen=True, omit_defaults=True):
    """`binary` is computed, whatever the client says: code that is wholly base64 is taken for an archive, `abcd` included."""

    kind: str
    code: str
    binary: bool
    main: str | None = None


class ExecPatch(msgspec.Struct, frozen=True):
    """`components` are a sequence's, as it names them."""

    kind: str
    code: str | None = None
    main: str | None = None
    components: list[str] | None = None

    @property
    def is_sequence(self) -> bool:
        return self.kind.strip().lower() == SEQUENCE


class ActionPatch(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a PUT; fields it does not know are ignored."""

    exec: ExecPatch | None = None
    parameters: list[Pair] | None = None
    annotations: list[Pair] | None = None
    limits: LimitsPatch | None = None
    version: str | None = None
    publish: bool | None = None
    del_annotations: list[str] = msgspec.field(default_factory=list)


class Action(Entity, frozen=True, kw_only=True):
    """What the collection of actions holds: `CodeAction` or `Sequence`."""

    parameters: tuple[Pair, ...]
    limits: Limits

    def document(self, *, code: bool = True) -> dict[str, Any]:
        """As GET, PUT and DELETE answer it, with its code or without."""
        return self._common() | {"exec": self._exec(code=code), "parameters": self.parameters}

    def _exec(self, *, code: bool) -> dict[str, Any]:
        raise TypeError(f"a {type(self).__name__} has no exec of its own")

    def _common(self) -> dict[str, Any]:
        return super()._common() | {"limits": self.limits}


class CodeAction(Action, frozen=True, kw_only=True):
    """An action that runs in a container."""

    exec: Exec
    runtime: Kind

    def identity(self) -> bytes:
        """Equal for actions that may share a warm container."""
        document = self.document()
        del document["updated"]
        return hashlib.sha256(encode(document)).digest()

    def summary(self) -> dict[str, Any]:
        """As a listing shows it: the kind is to be had from the `exec` annotation only."""
        return self._common() | {"exec": {"binary": self.exec.binary}}

    def _exec(self, *, code: bool) -> dict[str, Any]:
        details: dict[str, Any] = {"kind": self.exec.kind, "binary": self.exec.binary}
        if code:
            details["code"] = self.exec.code
        if self.exec.main is not None:
            details["main"] = self.exec.main
        return details


def put_action(old: Action | None, patch: ActionPatch, *, namespace: str, name: str, knobs: Knobs, kinds: Kinds, now_ms: int) -> CodeAction:
    """The action that a PUT makes, new or of an old one. Raises the 400s and 413s of what may not be stored."""
    check_sizes(patch, knobs)
    code = old if isinstance(old, CodeAction) else None
    if patch.exec is not None:
        made, kind = _exec(patch.exec, kinds)
    elif code is not None:
        made, kind = code.exec, code.runtime
    else:
        raise refusal(400, "exec undefined")
    annotations = merged_annotations(old, patch, made.kind)
    if any(pair.key == "conductor" and pair.value for pair in annotations):
        raise refusal(400, "Conductor actions are not supported by this platform.")
    return CodeAction(
        namespace=namespace,
        name=name,
        exec=made,
        runtime=kind,
        # The parameters of a sequence are its components: they end with it.
        parameters=replaced(patch.parameters, code.parameters if code else ()),
        limits=patched(old.limits if old else default_limits(knobs), patch.limits, knobs),
        version=put_version(patch.version, old),
        publish=published(patch.publish, old),
        annotations=annotations,
        updated=now_ms,
    )


def check_kind(patch: ActionPatch, kinds: Kinds) -> None:
    """Raises the 400 of a kind that is not here: found while the body is read, before anything is looked up."""
    if patch.exec is not None and not patch.exec.is_sequence:
        kinds.resolve(patch.exec.kind)


def check_sizes(patch: ActionPatch, knobs: Knobs) -> None:
    """Raises the 413s of a PUT with too large a part."""
    if patch.exec is not None:
        check_size("exec", len((patch.exec.code or "").encode()) + len((patch.exec.main or "").encode()), knobs.code_bytes)
    check_pairs("parameters", patch.parameters, knobs)
    check_pairs("annotations", patch.annotations, knobs)


def _exec(patch: ExecPatch, kinds: Kinds) -> tuple[Exec, Kind]:
    kind = kinds.resolve(patch.kind)
    if patch.code is None:
        raise rejection(400, f"{MALFORMED_BODY}'code' must be a string or attachment object defined in 'exec' for '{kind.name}' actions")
    return Exec(kind.name, patch.code, is_binary(patch.code), patch.main), kind


def is_binary(code: str) -> bool:
    """Whether OpenWhisk takes this code for an archive."""
    text = code.strip()
    return len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


def merged_annotations(old: Action | None, patch: ActionPatch, kind: str, *, deletes: bool = True) -> tuple[Pair, ...]:
    """The old ones with the new ones over them, and those that the platform sets itself; `deletes` as the PUT says, or not at all."""
    merged = {pair.key: pair for pair in old.annotations} if old else {}
    for key in patch.del_annotations if deletes else ():
        merged.pop(key, None)
    merged |= {pair.key: pair for pair in patch.annotations or ()}
    if old is None:
        merged.setdefault("provide-api-key", Pair("provide-api-key", value=False))
    merged["exec"] = Pair("exec", kind)
    return tuple(merged.values())
