"""From the path of an invocation to what is called.

What is made of stored entities is kept until one of those changes, so that a call costs one look into a dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Entity
from cluster.openwhisk.embedded.packages import foreign, merged, provider, readable_package
from cluster.openwhisk.embedded.sequences import Callee, prepare


@dataclass(frozen=True, slots=True)
class _Kept:
    callee: Callee
    made_of: tuple[Entity, ...]


class Resolver:
    """Callables by who calls and by path."""

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._generation = -1
        self._kept: dict[tuple[str, str, tuple[str, ...]], _Kept] = {}

    def check_access(self, user: User, namespace: str, names: tuple[str, ...]) -> None:
        """Raises the 403 or 404 of a namespace or a package that the user may not call into, whatever is in it."""
        if len(names) == 1:
            if namespace != user.namespace:
                raise foreign(namespace)
        elif self._known(user, namespace, names) is None:
            readable_package(self._entities, user, namespace, names[0])

    def callee(self, user: User, namespace: str, names: tuple[str, ...]) -> Callee:
        """What the names of an action, or of a package and its action, lead to. Raises the 403, 404 or 409 of what cannot be called."""
        kept = self._known(user, namespace, names)
        if kept is None:
            kept = self._kept[user.namespace, namespace, names] = self._prepare(user, namespace, names)
        return kept.callee

    def _known(self, user: User, namespace: str, names: tuple[str, ...]) -> _Kept | None:
        if self._generation != self._entities.generation:
            holds = self._entities.holds
            self._kept = {key: kept for key, kept in self._kept.items() if all(map(holds, kept.made_of))}
            self._generation = self._entities.generation
        return self._kept.get((user.namespace, namespace, names))

    def _prepare(self, user: User, namespace: str, names: tuple[str, ...]) -> _Kept:
        *package_name, name = names
        if not package_name:
            action = self._entities.get(f"{namespace}/{name}", Action)
            return _Kept(prepare(action), (action,))
        package = readable_package(self._entities, user, namespace, package_name[0])
        source = provider(self._entities, user, package)
        action = self._entities.get(f"{source.path}/{name}", Action)
        if source is package:
            return _Kept(prepare(action, package.parameters), (action, package))
        parameters = merged(source.parameters, package.parameters)
        return _Kept(prepare(action, parameters, package.path), (action, package, source))
