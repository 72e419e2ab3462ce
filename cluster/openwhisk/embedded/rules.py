"""A stored rule: when this trigger fires, that action is called. Its status is in the trigger (`triggers`).

done                         the rule is then
PUT, new                     active
PUT, overwrite               as it was, also where it goes to another trigger
POST status                  as asked for; without its trigger it cannot become active
DELETE of the trigger        inactive, also when a new trigger has the name
"""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entity import Entity, Name, Pair, published, put_version, replaced
from cluster.openwhisk.embedded.limits import check_pairs
from cluster.openwhisk.embedded.triggers import RuleStatus, reference


class RulePatch(msgspec.Struct, frozen=True):
    """The body of a PUT; fields it does not know are ignored, a status too."""

    trigger: str | None = None
    action: str | None = None
    annotations: list[Pair] | None = None
    version: str | None = None
    publish: bool | None = None


class StatusPatch(msgspec.Struct, frozen=True):
    """The body of a POST."""

    status: RuleStatus


class Rule(Entity, frozen=True, kw_only=True):
    """A rule as it is stored; both names are full."""

    trigger: Name
    action: Name

    def summary(self) -> dict[str, Any]:
        """All but the status, which is not the rule's."""
        return self._common() | {"trigger": reference(self.trigger), "action": reference(self.action)}

    def with_status(self, status: RuleStatus) -> dict[str, Any]:
        """As GET, PUT and DELETE answer it."""
        return self.summary() | {"status": status}


def put_rule(
    old: Rule | None, patch: RulePatch, *, namespace: str, name: str, trigger: Name, action: Name, knobs: Knobs, now_ms: int
) -> Rule:
    """The rule that a PUT makes, new or of an old one. Raises the 400 and 413 of what may not be stored."""
    check_pairs("annotations", patch.annotations, knobs)
    return Rule(
        namespace=namespace,
        name=name,
        version=put_version(patch.version, old),
        publish=published(patch.publish, old),
        annotations=replaced(patch.annotations, old.annotations if old else ()),
        updated=now_ms,
        trigger=trigger,
        action=action,
    )
