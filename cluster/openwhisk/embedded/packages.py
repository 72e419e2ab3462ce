"""Packages, which share parameters among actions, and bindings, which are packages that stand for another one.

    kind       has                         its actions are
    package    parameters, actions         its own
    binding    parameters, no actions      those of the package that it names, with its parameters over that one's

A package is readable by its owner, and by everybody when it is published. Parameters merge package, binding, action, payload: later wins.
They are arguments, not part of an action's identity: changing them makes nobody's containers cold.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import refusal
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Entity, Pair, published, put_version, replaced
from cluster.openwhisk.embedded.limits import check_pairs

RESERVED = "default"
"""How web actions call the package of actions that are in none."""


class Binding(msgspec.Struct, frozen=True):
    """The package that a binding stands for."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"


class PackagePatch(msgspec.Struct, frozen=True):
    """The body of a PUT; fields it does not know are ignored."""

    binding: Binding | None = None
    parameters: list[Pair] | None = None
    annotations: list[Pair] | None = None
    version: str | None = None
    publish: bool | None = None


class Package(Entity, frozen=True, kw_only=True):
    """A package or a binding, as it is stored."""

    parameters: tuple[Pair, ...]
    binding: Binding | None

    def document(self) -> dict[str, Any]:
        return self._common() | {"binding": self.binding or {}, "parameters": self.parameters}

    def summary(self) -> dict[str, Any]:
        return self._common() | {"binding": self.binding or False}

    def inheriting(self, provider: Package) -> Package:
        """This binding with the parameters of the package that it stands for."""
        return msgspec.structs.replace(self, parameters=merged(provider.parameters, self.parameters))


def merged(inherited: tuple[Pair, ...], own: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Parameters by key, `own` over `inherited`."""
    return tuple({pair.key: pair for pair in (*inherited, *own)}.values())


def may_read(user: User, package: Package | None) -> bool:
    return package is not None and (package.namespace == user.namespace or package.publish)


def readable_package(entities: Entities, user: User, namespace: str, name: str) -> Package:
    """Raises the 404 of an own package that is not there, and the 403 of somebody else's that is not there or not public."""
    path = f"{namespace}/{name}"
    if namespace == user.namespace:
        return entities.get(path, Package)
    package = entities.find(path, Package)
    if package is None or not may_read(user, package):
        raise foreign(path)
    return package


def provider(entities: Entities, user: User, package: Package) -> Package:
    """Where a package's actions are: itself, or what it is bound to. Raises the 403 and 404 of what may no longer be read."""
    bound = package.binding
    return package if bound is None else readable_package(entities, user, bound.namespace, bound.name)


def foreign(what: str) -> Exception:
    return refusal(403, f"The supplied authentication is not authorized to access '{what}'.")


def put_package(
    old: Package | None, patch: PackagePatch, *, user: User, name: str, entities: Entities, knobs: Knobs, now_ms: int
) -> Package:
    """The package that a PUT makes, new or of an old one. Raises the 400s, 403, 409s, 413s and the 422 of what may not be stored."""
    if name == RESERVED:
        raise refusal(400, f"Package name '{RESERVED}' is reserved.")
    check_pairs("parameters", patch.parameters, knobs)
    check_pairs("annotations", patch.annotations, knobs)
    binding = old.binding if old else None
    if patch.binding is not None:
        if old is not None and old.binding is None:
            raise refusal(409, "Resource is a package and cannot be converted into a binding.")
        binding = _bound(patch.binding, user, f"{user.namespace}/{name}", entities)
    annotations = replaced(patch.annotations, old.annotations if old else ())
    if binding is not None:
        others = [pair for pair in annotations if pair.key != "binding"]
        annotations = (*others, Pair("binding", {"namespace": binding.namespace, "name": binding.name}))
    return Package(
        namespace=user.namespace,
        name=name,
        version=put_version(patch.version, old),
        publish=published(patch.publish, old),
        annotations=annotations,
        updated=now_ms,
        parameters=replaced(patch.parameters, old.parameters if old else ()),
        binding=binding,
    )


def _bound(wanted: Binding, user: User, path: str, entities: Entities) -> Binding:
    """The binding with its namespace resolved. Raises the 400s, 403, 409 and 422 of one that leads nowhere."""
    binding = Binding(user.namespace if wanted.namespace == "_" else wanted.namespace, wanted.name)
    if binding.path == path:
        raise refusal(422, f"Package binding '{path}' contains a circular reference.")
    entity = entities.find(binding.path, Entity)
    if binding.namespace != user.namespace and not (isinstance(entity, Package) and may_read(user, entity)):
        raise foreign(binding.path)
    if entity is None:
        raise refusal(400, "Binding references a package that does not exist.")
    if not isinstance(entity, Package):
        raise refusal(409, "Cannot bind to a resource that is not a package.")
    if entity.binding is not None:
        raise refusal(400, "Cannot bind to another package binding.")
    return binding


def contents(entities: Entities, package: Package) -> dict[str, list[dict[str, Any]]]:
    """What GET adds: the actions in a package, those that are feeds apart."""
    found: dict[str, list[dict[str, Any]]] = {"actions": [], "feeds": []}
    for action in entities.within(package.path, Action):
        of = "feeds" if action.annotation("feed") is not None else "actions"
        found[of].append({"name": action.name, "version": action.version, "annotations": action.annotations})
    return found
