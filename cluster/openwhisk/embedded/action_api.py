"""The requests about actions: list, GET, PUT, DELETE, and POST, which invokes.

The order in which an invocation is checked decides what a refused one costs: a call that meets no action, or is too large, or is not
JSON, has taken a rate token before, and so has one that is refused for concurrency. Only an illegal name has not.
"""

from __future__ import annotations

import asyncio

from cluster.openwhisk.embedded.actions import Action, ActionPatch, check_kind, put_action
from cluster.openwhisk.embedded.answers import Answer, encode, json_answer, refusal
from cluster.openwhisk.embedded.calls import Call, Handler
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import parse_body
from cluster.openwhisk.embedded.ids import activation_id
from cluster.openwhisk.embedded.invocation import Ack, Invocation, waited
from cluster.openwhisk.embedded.kinds import Kinds
from cluster.openwhisk.embedded.limits import check_payload
from cluster.openwhisk.embedded.outcomes import HTTP_STATUSES
from cluster.openwhisk.embedded.packages import Package, merged, provider, readable_package
from cluster.openwhisk.embedded.pipeline import Pipeline
from cluster.openwhisk.embedded.queries import Page, boolean, wait_ms
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.routes import Place
from cluster.openwhisk.embedded.sequence_runs import SequenceRun, SequenceRuns
from cluster.openwhisk.embedded.sequences import Callee, PreparedSequence, makes_sequence, put_sequence
from cluster.openwhisk.embedded.throttles import Throttles

COLLECTION = "actions"
ACTIVATION_HEADER = "x-openwhisk-activation-id"
EXTRA_LOGGING_HEADER = "X-OW-EXTRA-LOGGING"


class ActionApi:
    """Handlers of the routes below `/actions`."""

    def __init__(
        self,
        knobs: Knobs,
        kinds: Kinds,
        entities: Entities,
        resolver: Resolver,
        pipeline: Pipeline,
        sequences: SequenceRuns,
        throttles: Throttles,
        clock: Clock,
    ) -> None:
        self._knobs = knobs
        self._kinds = kinds
        self._entities = entities
        self._resolver = resolver
        self._components = sequences.components
        self._pipeline = pipeline
        self._sequences = sequences
        self._throttles = throttles
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def routes(self) -> dict[tuple[Place, str], Handler]:
        return {
            ("actions", "GET"): self.list,
            ("action", "GET"): self.get,
            ("action", "PUT"): self.put,
            ("action", "DELETE"): self.delete,
            ("action", "POST"): self.invoke,
            ("package actions", "GET"): self.list_package,
            ("packaged action", "GET"): self.get_packaged,
            ("packaged action", "PUT"): self.put,
            ("packaged action", "DELETE"): self.delete,
            ("packaged action", "POST"): self.invoke,
        }

    async def list(self, call: Call) -> Answer:
        call.check_names()
        actions = self._entities.listed(Action, call.namespace())
        return json_answer(Page.of(call.route.query, COLLECTION).of_entities(COLLECTION, actions))

    async def list_package(self, call: Call) -> Answer:
        call.check_names()
        package = readable_package(self._entities, call.user, call.any_namespace(), call.route.names[0])
        actions = self._entities.within(provider(self._entities, call.user, package).path, Action)
        return json_answer(Page.of(call.route.query, COLLECTION).of_entities(COLLECTION, actions))

    async def get(self, call: Call) -> Answer:
        code = boolean(call.route.query, "code", default=True)
        return json_answer(self._entities.get(call.own_path(), Action).document(code=code))

    async def get_packaged(self, call: Call) -> Answer:
        """With the parameters of the package, and of the binding where it leads through one, below the action's own."""
        call.check_names()
        code = boolean(call.route.query, "code", default=True)
        package_name, name = call.route.names
        package = readable_package(self._entities, call.user, call.any_namespace(), package_name)
        source = provider(self._entities, call.user, package)
        action = self._entities.get(f"{source.path}/{name}", Action)
        inherited = package.parameters if source is package else merged(source.parameters, package.parameters)
        document = action.document(code=code) | {"parameters": merged(inherited, action.parameters)}
        return json_answer(document if code or source is package else document | {"binding": package.path})

    async def put(self, call: Call) -> Answer:
        path = self._writable(call)
        overwrite = boolean(call.route.query, "overwrite", default=False)
        call.check_json()
        patch = parse_body(call.body, ActionPatch)
        check_kind(patch, self._kinds)
        old = self._entities.replaced(path, Action, overwrite=overwrite)
        action = self._made(call.user, path, old, patch)
        self._entities.put(action)
        return json_answer(action.document())

    def _made(self, user: User, path: str, old: Action | None, patch: ActionPatch) -> Action:
        """What a PUT makes. Raises all that its makers raise."""
        namespace, _, name = path.rpartition("/")
        knobs, now_ms = self._knobs, self._clock.controller_ms()
        if not makes_sequence(old, patch):
            return put_action(old, patch, namespace=namespace, name=name, knobs=knobs, kinds=self._kinds, now_ms=now_ms)
        own = user.namespace
        sequence = put_sequence(old, patch, namespace=namespace, name=name, own_namespace=own, knobs=knobs, now_ms=now_ms)
        if patch.exec is not None:
            self._components.check_stored(user, sequence)
        return sequence

    async def delete(self, call: Call) -> Answer:
        return json_answer(self._entities.delete(self._writable(call), Action).document())

    def _writable(self, call: Call) -> str:
        """The path of an action that may be stored there. Raises the 403, 404 and 400 of a place where none may."""
        path = call.own_path()
        if len(call.route.names) == 2 and self._entities.get(path.rpartition("/")[0], Package).binding is not None:
            raise refusal(400, "Operation not permitted on package binding.")
        return path

    async def invoke(self, call: Call) -> Answer:
        call.check_names()
        user = call.user
        self._throttles.admit_invocation(user.namespace)
        namespace, names = call.any_namespace(), call.route.names
        self._resolver.check_access(user, namespace, names)
        check_payload(call.body, self._knobs)
        query = call.route.query
        blocking = boolean(query, "blocking", default=False)
        result_only = boolean(query, "result", default=False)
        waits_ms = wait_ms(query, self._knobs.blocking_wait_ms)
        call.check_json()
        callee = self._resolver.callee(user, namespace, names)
        acked: asyncio.Future[Ack | None] = self._loop.create_future()
        identifier = self.started(call, callee, acked, blocking=blocking)
        if not blocking:
            return accepted(identifier)
        ack = await waited(acked, waits_ms / 1000)
        return accepted(identifier) if ack is None else finished(identifier, ack, result_only=result_only)

    def started(self, call: Call, callee: Callee, acked: asyncio.Future[Ack | None], *, blocking: bool) -> str:
        """The id of the activation. Raises the 400s of its arguments, and the 403 and 404 of a sequence's components."""
        identifier, always = activation_id(), call.headers.get(EXTRA_LOGGING_HEADER) == "on"
        user, transaction, seen_ms = call.user, call.transaction_id, call.seen_ms
        if isinstance(callee, PreparedSequence):
            self._components.check_called(user, callee.action)
            arguments = callee.arguments(call.body)
            run = SequenceRun(callee, user, arguments, identifier, transaction, seen_ms, acked, blocking=blocking, always_stored=always)
            self._sequences.start(run)
        else:
            arguments = callee.arguments(call.body)
            invocation = Invocation(
                callee, user, arguments, identifier, transaction, seen_ms, acked, blocking=blocking, always_stored=always
            )
            self._pipeline.publish(invocation)
        return identifier


def accepted(activation_id: str) -> Answer:
    """Not waited for, or not any longer: the two look the same to the client."""
    return Answer(202, encode({"activationId": activation_id}), headers=((ACTIVATION_HEADER, activation_id),))


def finished(activation_id: str, ack: Ack, *, result_only: bool) -> Answer:
    """What a blocking call is answered with."""
    # An array is answered bare, asked for or not: so does the real one.
    body = ack.outcome.result if result_only or ack.outcome.is_array else ack.record
    return Answer(HTTP_STATUSES[ack.outcome.status], body, headers=((ACTIVATION_HEADER, activation_id),))
