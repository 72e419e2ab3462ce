"""The stored entities, by namespace and name. In memory: they end with the platform, as those of the standalone server do."""

from __future__ import annotations

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import NOT_FOUND, refusal
from cluster.openwhisk.embedded.prepared import Prepared


class Entities:
    """Keys are `namespace/name`."""

    def __init__(self) -> None:
        self._actions: dict[str, Prepared] = {}

    def find(self, path: str) -> Action | None:
        prepared = self._actions.get(path)
        return prepared.action if prepared else None

    def get(self, path: str) -> Prepared:
        """Raises the 404 of what is not there."""
        prepared = self._actions.get(path)
        if prepared is None:
            raise refusal(404, NOT_FOUND)
        return prepared

    def put(self, action: Action) -> None:
        # The newest goes last, also where it replaces one: listings read backwards.
        self._actions.pop(action.path, None)
        self._actions[action.path] = Prepared(action)

    def delete(self, path: str) -> Action:
        """Raises the 404 of what is not there."""
        action = self.get(path).action
        del self._actions[path]
        return action

    def actions(self, namespace: str) -> list[Action]:
        """All of a namespace, newest first."""
        return [prepared.action for prepared in reversed(self._actions.values()) if prepared.action.namespace == namespace]
