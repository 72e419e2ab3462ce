"""From the path of an invocation to what is called.

What is made of stored entities is kept until one of them changes, so that a call costs one look into a dictionary.
"""

from __future__ import annotations

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.sequences import Callee, prepare


class Resolver:
    """Callables by path."""

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._generation = -1
        self._prepared: dict[str, Callee] = {}

    def callee(self, user: User, namespace: str, names: tuple[str, ...]) -> Callee:
        """What the names of an action, or of a package and its action, lead to. Raises the 403, 404 or 409 of what cannot be called."""
        if self._generation != self._entities.generation:
            self._prepared.clear()
            self._generation = self._entities.generation
        path = "/".join((namespace, *names))
        prepared = self._prepared.get(path)
        if prepared is None:
            prepared = self._prepared[path] = prepare(self._entities.get(path, Action))
        return prepared
