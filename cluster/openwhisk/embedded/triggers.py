"""A stored trigger: parameters, and the rules that say what is called when it fires.

Whether a rule is active is kept here and not in the rule, so one fire needs one look, and a rule without its trigger is inactive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entity import Entity, Name, Pair, published, put_version, replaced
from cluster.openwhisk.embedded.limits import check_pairs

RuleStatus = Literal["active", "inactive"]


class Link(msgspec.Struct, frozen=True):
    """A rule as its trigger has it."""

    action: Name
    status: RuleStatus


class TriggerPatch(msgspec.Struct, frozen=True):
    """The body of a PUT; fields it does not know are ignored."""

    parameters: list[Pair] | None = None
    annotations: list[Pair] | None = None
    version: str | None = None
    publish: bool | None = None


class Trigger(Entity, frozen=True, kw_only=True):
    """A trigger as it is stored. `rules` by their paths."""

    parameters: tuple[Pair, ...]
    rules: Mapping[str, Link]

    def document(self) -> dict[str, Any]:
        document = self.summary() | {"parameters": self.parameters, "limits": {}}
        if self.rules:
            document["rules"] = {path: {"action": reference(link.action), "status": link.status} for path, link in self.rules.items()}
        return document

    def summary(self) -> dict[str, Any]:
        return self._common()

    def linked(self, rule: str, link: Link) -> Trigger:
        """This trigger with the rule."""
        return msgspec.structs.replace(self, rules={**self.rules, rule: link})

    def unlinked(self, rule: str) -> Trigger:
        """This trigger without the rule."""
        return msgspec.structs.replace(self, rules={path: link for path, link in self.rules.items() if path != rule})


def reference(name: Name) -> dict[str, str]:
    """How documents name another entity."""
    path, _, simple = name.path.rpartition("/")
    return {"path": path, "name": simple}


def put_trigger(old: Trigger | None, patch: TriggerPatch, *, namespace: str, name: str, knobs: Knobs, now_ms: int) -> Trigger:
    """The trigger that a PUT makes, new or of an old one, whose rules it keeps. Raises the 400 and 413s of what may not be stored."""
    check_pairs("parameters", patch.parameters, knobs)
    check_pairs("annotations", patch.annotations, knobs)
    return Trigger(
        namespace=namespace,
        name=name,
        version=put_version(patch.version, old),
        publish=published(patch.publish, old),
        annotations=replaced(patch.annotations, old.annotations if old else ()),
        updated=now_ms,
        parameters=replaced(patch.parameters, old.parameters if old else ()),
        rules=old.rules if old else {},
    )
