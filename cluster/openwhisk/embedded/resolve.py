"""From the path of an invocation to what is called.

What is made of stored entities is kept until one of them changes, so that a call costs one look into a dictionary.
"""

from __future__ import annotations

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.packages import foreign, merged, provider, readable
from cluster.openwhisk.embedded.sequences import Callee, prepare


class Resolver:
    """Callables by who calls and by path."""

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._generation = -1
        self._prepared: dict[tuple[str, str, tuple[str, ...]], Callee] = {}

    def check_access(self, user: User, namespace: str, names: tuple[str, ...]) -> None:
        """Raises the 403 or 404 of a namespace or a package that the user may not call into, whatever is in it."""
        if len(names) == 1:
            if namespace != user.namespace:
                raise foreign(namespace)
        elif self._known(user, namespace, names) is None:
            readable(self._entities, user, namespace, names[0])

    def callee(self, user: User, namespace: str, names: tuple[str, ...]) -> Callee:
        """What the names of an action, or of a package and its action, lead to. Raises the 403, 404 or 409 of what cannot be called."""
        prepared = self._known(user, namespace, names)
        if prepared is None:
            prepared = self._prepared[user.namespace, namespace, names] = self._prepare(user, namespace, names)
        return prepared

    def _known(self, user: User, namespace: str, names: tuple[str, ...]) -> Callee | None:
        if self._generation != self._entities.generation:
            self._prepared.clear()
            self._generation = self._entities.generation
        return self._prepared.get((user.namespace, namespace, names))

    def _prepare(self, user: User, namespace: str, names: tuple[str, ...]) -> Callee:
        *package_name, name = names
        if not package_name:
            return prepare(self._entities.get(f"{namespace}/{name}", Action))
        package = readable(self._entities, user, namespace, package_name[0])
        source = provider(self._entities, user, package)
        action = self._entities.get(f"{source.path}/{name}", Action)
        if source is package:
            return prepare(action, package.parameters)
        return prepare(action, merged(source.parameters, package.parameters), package.path)
