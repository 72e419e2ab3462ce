"""The stored entities, by namespace and name. In memory: they end with the platform, as those of the standalone server do."""

from __future__ import annotations

from typing import TypeVar

from cluster.openwhisk.embedded.answers import NOT_FOUND, refusal
from cluster.openwhisk.embedded.entity import Entity

OF_ANOTHER_TYPE = "Resource by this name exists but is not in this collection."

E = TypeVar("E", bound=Entity)


class Entities:
    """Keys are paths: `namespace/name`, `namespace/package/name`.

    `generation` grows with every change, for who keeps what is made of them.
    """

    def __init__(self) -> None:
        self._entities: dict[str, Entity] = {}
        self.generation = 0

    def find(self, path: str, shape: type[E]) -> E | None:
        """Raises the 409 of a name that something of another type has."""
        entity = self._entities.get(path)
        if entity is None:
            return None
        if not isinstance(entity, shape):
            raise refusal(409, OF_ANOTHER_TYPE)
        return entity

    def get(self, path: str, shape: type[E]) -> E:
        """As `find`; raises the 404 of what is not there."""
        entity = self.find(path, shape)
        if entity is None:
            raise refusal(404, NOT_FOUND)
        return entity

    def replaced(self, path: str, shape: type[E], *, overwrite: bool) -> E | None:
        """What a PUT to the path replaces, if anything. Raises the 409s of what it may not replace."""
        old = self.find(path, shape)
        if old is not None and not overwrite:
            raise refusal(409, "resource already exists")
        return old

    def holds(self, entity: Entity) -> bool:
        """Whether it is still what has its name: this very object."""
        return self._entities.get(entity.path) is entity

    def put(self, entity: Entity) -> None:
        # The newest goes last, also where it replaces one: listings read backwards.
        self._entities.pop(entity.path, None)
        self._entities[entity.path] = entity
        self.generation += 1

    def amend(self, entity: Entity) -> None:
        """Replace one that is there by one that is no newer: its place in the listings stays."""
        self._entities[entity.path] = entity
        self.generation += 1

    def delete(self, path: str, shape: type[E]) -> E:
        """What was there. Raises as `get`."""
        entity = self.get(path, shape)
        del self._entities[path]
        self.generation += 1
        return entity

    def listed(self, shape: type[E], namespace: str) -> list[E]:
        """All of a namespace and of its packages, newest first."""
        return [entity for entity in reversed(self._entities.values()) if isinstance(entity, shape) and entity.owner == namespace]

    def within(self, package: str, shape: type[E]) -> list[E]:
        """All in a package, by its path, newest first."""
        return [entity for entity in reversed(self._entities.values()) if isinstance(entity, shape) and entity.namespace == package]
