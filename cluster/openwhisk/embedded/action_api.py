"""The requests about actions: list, GET, PUT, DELETE, and POST, which invokes.

The order in which an invocation is checked decides what a refused one costs: a call that meets no action, or is too large, or is not
JSON, has taken a rate token before, and so has one that is refused for concurrency. Only an illegal name has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cluster.openwhisk.embedded.actions import parse_patch, put_action
from cluster.openwhisk.embedded.answers import NOT_FOUND, Answer, encode, json_answer, refusal
from cluster.openwhisk.embedded.calls import Call
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.ids import activation_id
from cluster.openwhisk.embedded.kinds import Kinds
from cluster.openwhisk.embedded.outcomes import HTTP_STATUSES
from cluster.openwhisk.embedded.pipeline import Ack, Invocation, Pipeline
from cluster.openwhisk.embedded.queries import Page, boolean, wait_ms
from cluster.openwhisk.embedded.throttles import ConcurrencyThrottle, RateThrottle

COLLECTION = "actions"
ACTIVATION_HEADER = "x-openwhisk-activation-id"


class ActionApi:
    """Handlers of the routes below `/actions`."""

    def __init__(
        self,
        knobs: Knobs,
        kinds: Kinds,
        entities: Entities,
        pipeline: Pipeline,
        rate: RateThrottle,
        concurrency: ConcurrencyThrottle,
        wall_ms: Callable[[], int],
    ) -> None:
        self._knobs = knobs
        self._kinds = kinds
        self._entities = entities
        self._pipeline = pipeline
        self._rate = rate
        self._concurrency = concurrency
        self._wall_ms = wall_ms
        self._loop = asyncio.get_running_loop()

    async def list(self, call: Call) -> Answer:
        call.check_names()
        actions = self._entities.actions(call.namespace())
        page = Page.of(call.route.query, COLLECTION)
        if page.only_count:
            return json_answer({COLLECTION: max(0, len(actions) - page.skip)})
        return json_answer([action.summary() for action in actions[page.skip : page.skip + page.limit]])

    async def get(self, call: Call) -> Answer:
        path = _path(call)
        code = boolean(call.route.query, "code", default=True)
        return json_answer(self._entities.get(path).action.document(code=code))

    async def put(self, call: Call) -> Answer:
        path = _path(call)
        overwrite = boolean(call.route.query, "overwrite", default=False)
        call.check_json()
        patch = parse_patch(call.body)
        old = self._entities.find(path)
        if old is not None and not overwrite:
            raise refusal(409, "resource already exists")
        namespace, _, name = path.rpartition("/")
        action = put_action(old, patch, namespace=namespace, name=name, knobs=self._knobs, kinds=self._kinds, now_ms=self._wall_ms())
        self._entities.put(action)
        return json_answer(action.document())

    async def delete(self, call: Call) -> Answer:
        return json_answer(self._entities.delete(_path(call)).document())

    async def packaged(self, call: Call) -> Answer:
        """Any request but POST about an action in a package: there are no packages here, so there is no such action."""
        _path(call)
        raise refusal(404, NOT_FOUND)

    async def invoke(self, call: Call) -> Answer:
        call.check_names()
        user = call.user
        self._rate.admit(user.namespace)
        self._concurrency.admit(user.namespace)
        namespace = call.namespace()
        if len(call.body) > self._knobs.payload_bytes:
            raise refusal(413, f"Request larger than allowed: {len(call.body)} > {self._knobs.payload_bytes} bytes.")
        query = call.route.query
        blocking = boolean(query, "blocking", default=False)
        result_only = boolean(query, "result", default=False)
        waits_ms = wait_ms(query, self._knobs.blocking_wait_ms)
        call.check_json()
        prepared = self._entities.get("/".join((namespace, *call.route.names)))
        arguments = prepared.arguments(call.body)
        acked: asyncio.Future[Ack | None] = self._loop.create_future()
        invocation = Invocation(prepared, user, arguments, activation_id(), call.transaction_id, call.seen_ms, acked)
        self._pipeline.publish(invocation)
        if not blocking:
            return _accepted(invocation)
        timer = self._loop.call_later(waits_ms / 1000, _stop_waiting, acked)
        ack = await acked
        timer.cancel()
        return _accepted(invocation) if ack is None else _finished(invocation, ack, result_only=result_only)


def _path(call: Call) -> str:
    call.check_names()
    return "/".join((call.namespace(), *call.route.names))


def _stop_waiting(acked: asyncio.Future[Ack | None]) -> None:
    if not acked.done():
        acked.set_result(None)


def _accepted(invocation: Invocation) -> Answer:
    """Not waited for, or not any longer: the two look the same to the client."""
    body = encode({"activationId": invocation.activation_id})
    return Answer(202, body, headers=((ACTIVATION_HEADER, invocation.activation_id),))


def _finished(invocation: Invocation, ack: Ack, *, result_only: bool) -> Answer:
    # An array is answered bare, asked for or not: so does the real one.
    body = ack.outcome.result if result_only or ack.outcome.is_array else ack.record
    return Answer(HTTP_STATUSES[ack.outcome.status], body, headers=((ACTIVATION_HEADER, invocation.activation_id),))
