"""The components of sequences, looked for: when a sequence is stored, when it is called, and when it comes to each of them.

A sequence is limited in what it runs, not in what it names: components that are sequences count as all that is in them.
"""

from __future__ import annotations

from cluster.openwhisk.embedded.answers import Refused, refusal
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entity import Name
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.sequences import Callee, PreparedSequence, Sequence

TOO_MANY = "Too many actions in the sequence."
NONE = "No component specified for the sequence."
CYCLE = "Sequence may not refer to itself."
MISSING = "Sequence component does not exist."


class Components:
    """`longest` is how many actions a sequence may run, and how deep sequences may lie in each other."""

    def __init__(self, knobs: Knobs, resolver: Resolver) -> None:
        self.longest = knobs.sequence_length
        self._resolver = resolver

    def find(self, user: User, name: Name) -> Callee:
        """Raises the 403, 404 or 409 of what cannot be called."""
        return self._resolver.callee(user, name.namespace, name.names)

    def check_stored(self, user: User, sequence: Sequence) -> None:
        """Raises the 400s of components that make no sequence, and what `check_called` raises."""
        if not sequence.components:
            raise refusal(400, NONE)
        self.check_called(user, sequence)
        self._count(user, sequence, sequence.components, depth=1)

    def check_called(self, user: User, sequence: Sequence) -> None:
        """Raises the 403 or 404 of a package that the user may not call into. What is missing in one is met on the way."""
        for name in sequence.components:
            self._resolver.check_access(user, name.namespace, name.names)

    def _count(self, user: User, whole: Sequence, components: tuple[Name, ...], depth: int) -> int:
        """How many actions are run by these components of `whole`."""
        if depth > self.longest:
            raise refusal(400, TOO_MANY)
        count = 0
        for name in components:
            if name.path == whole.path:
                raise refusal(400, CYCLE)
            callee = self._existing(user, name)
            if not isinstance(callee, PreparedSequence):
                count += 1
            elif callee.action.path == whole.path:
                raise refusal(400, CYCLE)
            else:
                count += self._count(user, whole, callee.action.components, depth + 1)
            if count > self.longest:
                raise refusal(400, TOO_MANY)
        return count

    def _existing(self, user: User, name: Name) -> Callee:
        try:
            return self.find(user, name)
        except Refused as refused:
            if refused.status == 403:
                raise
            raise refusal(400, MISSING) from None
