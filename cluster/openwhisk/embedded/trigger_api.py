"""The requests about triggers: list, GET, PUT, DELETE, and POST, which fires.

A fire takes a token of its own and is not counted in flight. Each active rule then calls its action as the user himself would: it takes a
token of an action and may be refused. The fire is answered before: what became of the rules is in its record's logs, one JSON text each.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from cluster.openwhisk.embedded.action_api import EXTRA_LOGGING_HEADER, ActionApi, accepted
from cluster.openwhisk.embedded.answers import JSON, SERVER_ERROR, Answer, Refused, encode, json_answer
from cluster.openwhisk.embedded.calls import Call, Handler, header_fields
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Pair, parse_body
from cluster.openwhisk.embedded.ids import activation_id
from cluster.openwhisk.embedded.limits import check_payload
from cluster.openwhisk.embedded.outcomes import Outcome, Status
from cluster.openwhisk.embedded.pipeline import Pipeline
from cluster.openwhisk.embedded.prepared import defaults_of, merged_arguments
from cluster.openwhisk.embedded.queries import Page, boolean
from cluster.openwhisk.embedded.records import Record, encode_record, response_of
from cluster.openwhisk.embedded.routes import Place, Route
from cluster.openwhisk.embedded.throttles import Throttles
from cluster.openwhisk.embedded.triggers import Link, Trigger, TriggerPatch, put_trigger

COLLECTION = "triggers"

_log = logging.getLogger(__name__)


class Fired(msgspec.Struct, frozen=True):
    """What one rule came to, as the trigger's record tells it."""

    status_code: Status = msgspec.field(name="statusCode")
    success: bool
    rule: str
    action: str
    activation_id: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="activationId")
    error: str | msgspec.UnsetType = msgspec.UNSET


class TriggerApi:
    """Handlers of the routes below `/triggers`."""

    def __init__(
        self, knobs: Knobs, entities: Entities, actions: ActionApi, pipeline: Pipeline, throttles: Throttles, clock: Clock
    ) -> None:
        self._knobs = knobs
        self._entities = entities
        self._actions = actions
        self._pipeline = pipeline
        self._throttles = throttles
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> dict[tuple[Place, str], Handler]:
        return {
            ("triggers", "GET"): self.list,
            ("trigger", "GET"): self.get,
            ("trigger", "PUT"): self.put,
            ("trigger", "DELETE"): self.delete,
            ("trigger", "POST"): self.fire,
        }

    async def stop(self) -> None:
        """Call no further rule's action."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def list(self, call: Call) -> Answer:
        call.check_names()
        triggers = self._entities.listed(Trigger, call.namespace())
        return json_answer(Page.of(call.route.query, COLLECTION).of_entities(COLLECTION, triggers))

    async def get(self, call: Call) -> Answer:
        return json_answer(self._entities.get(call.own_path(), Trigger).document())

    async def put(self, call: Call) -> Answer:
        path = call.own_path()
        overwrite = boolean(call.route.query, "overwrite", default=False)
        call.check_json()
        patch = parse_body(call.body, TriggerPatch)
        old = self._entities.replaced(path, Trigger, overwrite=overwrite)
        namespace, _, name = path.rpartition("/")
        trigger = put_trigger(old, patch, namespace=namespace, name=name, knobs=self._knobs, now_ms=self._clock.controller_ms())
        self._entities.put(trigger)
        return json_answer(trigger.document())

    async def delete(self, call: Call) -> Answer:
        return json_answer(self._entities.delete(call.own_path(), Trigger).document())

    async def fire(self, call: Call) -> Answer:
        call.check_names()
        self._throttles.fires.admit(call.user.namespace)
        path = call.own_path()
        check_payload(call.body, self._knobs)
        call.check_json()
        payload = msgspec.json.format(merged_arguments({}, frozenset(), call.body), indent=-1)
        trigger = self._entities.get(path, Trigger)
        if all(link.status == "inactive" for link in trigger.rules.values()):
            return Answer(204, b"")
        identifier = activation_id()
        start_ms = self._clock.controller_ms()
        task = asyncio.get_running_loop().create_task(self._followed_up(call, trigger, payload, identifier, start_ms))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return accepted(identifier)

    async def _followed_up(self, call: Call, trigger: Trigger, payload: bytes, identifier: str, start_ms: int) -> None:
        try:
            await self._fired(call, trigger, payload, identifier, start_ms)
        except Exception:  # noqa: BLE001 - a defect of the platform must be seen; nobody waits for this task
            _log.exception("trigger %s could not be fired", trigger.path)

    async def _fired(self, call: Call, trigger: Trigger, payload: bytes, identifier: str, start_ms: int) -> None:
        """Call what the rules say, then store what became of it."""
        defaults = defaults_of((*trigger.parameters, Pair("__ow_headers", header_fields(call.headers))))
        arguments = merged_arguments(defaults, frozenset(), payload)
        fired = [await self._followed(call, rule, link, arguments) for rule, link in trigger.rules.items()]
        outcome = Outcome(Status.SUCCESS, payload)
        namespace = call.user.namespace
        record = Record(
            namespace=namespace,
            name=trigger.name,
            version=trigger.version,
            subject=namespace,
            activation_id=identifier,
            start=start_ms,
            response=response_of(outcome),
            logs=[encode(one).decode() for one in fired],
            annotations=[],
        )
        path, always = trigger.listed_as(namespace), call.headers.get(EXTRA_LOGGING_HEADER) == "on"
        self._pipeline.store(record, outcome.status, encode_record(record), path, blocking=False, always=always)

    async def _followed(self, call: Call, rule: str, link: Link, arguments: bytes) -> Fired:
        action = link.action
        if link.status == "inactive":
            text = f"Rule '{rule}' is inactive, action '{action.path}' was not activated."
            return Fired(Status.APPLICATION_ERROR, success=False, rule=rule, action=action.path, error=text)
        place: Place = "action" if action.package is None else "packaged action"
        route = Route(place, action.namespace, action.names, {})
        invocation = Call(call.user, route, {"Content-Type": JSON}, arguments, call.transaction_id, self._clock.controller_ms())
        try:
            answer = await self._actions.invoke(invocation)
        except Refused as refused:
            status = Status.PLATFORM_ERROR if refused.status >= 500 else Status.APPLICATION_ERROR
            return Fired(status, success=False, rule=rule, action=action.path, error=refused.text)
        except Exception:  # noqa: BLE001 - a defect of the platform must be seen, and the other rules must be followed
            _log.exception("rule %s could not be followed", rule)
            return Fired(Status.PLATFORM_ERROR, success=False, rule=rule, action=action.path, error=SERVER_ERROR)
        started = msgspec.json.decode(answer.body)["activationId"]
        return Fired(Status.SUCCESS, success=True, rule=rule, action=action.path, activation_id=started)
