"""A sequence: an action that is other actions, one after another, each given what the one before it made.

It is stored beside the code actions and looks like one: what its parameters would be are its components, whatever a client says.
Components are named, not held: each run finds what then has the name.
"""

from __future__ import annotations

from typing import Any

from cluster.openwhisk.embedded.actions import SEQUENCE, Action, ActionPatch, CodeAction, check_sizes, merged_annotations
from cluster.openwhisk.embedded.answers import MALFORMED_BODY, rejection
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entity import Name, Pair, parse_name, published, put_version
from cluster.openwhisk.embedded.limits import default_limits, patched
from cluster.openwhisk.embedded.prepared import Prepared, defaults_of, final_keys, merged_arguments, result_arguments


class Sequence(Action, frozen=True, kw_only=True):
    """`components` are the full names of actions, `_` already replaced by the namespace of who stored it."""

    components: tuple[Name, ...]

    def summary(self) -> dict[str, Any]:
        return self._common() | {"exec": {"binary": False}}

    def _exec(self, *, code: bool) -> dict[str, Any]:
        return {"kind": SEQUENCE, "components": [f"/{name.path}" for name in self.components]}


class PreparedSequence:
    """A stored sequence with what each of its invocations needs. `inherited` and `binding` as `Prepared` has them."""

    def __init__(self, action: Sequence, inherited: tuple[Pair, ...] = (), binding: str | None = None) -> None:
        self.action = action
        self.binding = binding
        self._defaults = defaults_of(inherited)
        self._final = final_keys(action, inherited)

    def listed_as(self, user: User) -> str:
        """As `Prepared.listed_as`."""
        return self.action.listed_as(user.namespace)

    def arguments(self, payload: bytes) -> bytes:
        """As `Prepared.arguments`; the components' names are none."""
        return merged_arguments(self._defaults, self._final, payload)

    def arguments_of_result(self, result: bytes) -> bytes:
        """As `Prepared.arguments_of_result`."""
        return result_arguments(self._defaults, result)


Callee = Prepared | PreparedSequence


def prepare(action: Action, inherited: tuple[Pair, ...] = (), binding: str | None = None) -> Callee:
    """What is called where the action is."""
    if isinstance(action, Sequence):
        return PreparedSequence(action, inherited, binding)
    if isinstance(action, CodeAction):
        return Prepared(action, inherited, binding)
    raise TypeError(f"a {type(action).__name__} cannot be called")


def makes_sequence(old: Action | None, patch: ActionPatch) -> bool:
    """Whether a PUT makes a sequence, new or of what was there."""
    return isinstance(old, Sequence) if patch.exec is None else patch.exec.is_sequence


def put_sequence(
    old: Action | None, patch: ActionPatch, *, namespace: str, name: str, own_namespace: str, knobs: Knobs, now_ms: int
) -> Sequence:
    """The sequence that a PUT makes; `own_namespace` is the caller's. Its components are looked at by `components`.

    Raises the 400s and 413s of what may not be stored.
    """
    check_sizes(patch, knobs)
    components = old.components if isinstance(old, Sequence) else ()
    if patch.exec is not None:
        components = _named(patch.exec.components, own_namespace)
    return Sequence(
        namespace=namespace,
        name=name,
        components=components,
        parameters=(Pair("_actions", [f"/{component.path}" for component in components]),),
        limits=patched(old.limits if old else default_limits(knobs), patch.limits, knobs),
        version=put_version(patch.version, old),
        publish=published(patch.publish, old),
        annotations=merged_annotations(old, patch, SEQUENCE, deletes=False),
        updated=now_ms,
    )


def _named(components: list[str] | None, own_namespace: str) -> tuple[Name, ...]:
    if components is None:
        raise rejection(400, f"{MALFORMED_BODY}'components' must be defined for sequence kind")
    return tuple(parse_name(component, own_namespace) for component in components)
