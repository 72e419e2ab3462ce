"""The requests about rules: list, GET, PUT, DELETE, and POST, which sets the status."""

from __future__ import annotations

from cluster.openwhisk.embedded.answers import Answer, Refused, json_answer, refusal, text_answer
from cluster.openwhisk.embedded.calls import Call, Handler
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Name, parse_body, parse_name
from cluster.openwhisk.embedded.packages import foreign
from cluster.openwhisk.embedded.queries import Page, boolean
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.routes import Place
from cluster.openwhisk.embedded.rules import Rule, RulePatch, StatusPatch, put_rule
from cluster.openwhisk.embedded.triggers import Link, RuleStatus, Trigger

COLLECTION = "rules"


class RuleApi:
    """Handlers of the routes below `/rules`."""

    def __init__(self, knobs: Knobs, entities: Entities, resolver: Resolver, clock: Clock) -> None:
        self._knobs = knobs
        self._entities = entities
        self._resolver = resolver
        self._clock = clock

    def routes(self) -> dict[tuple[Place, str], Handler]:
        return {
            ("rules", "GET"): self.list,
            ("rule", "GET"): self.get,
            ("rule", "PUT"): self.put,
            ("rule", "DELETE"): self.delete,
            ("rule", "POST"): self.set_status,
        }

    async def list(self, call: Call) -> Answer:
        call.check_names()
        rules = self._entities.listed(Rule, call.namespace())
        return json_answer(Page.of(call.route.query, COLLECTION).of_entities(COLLECTION, rules))

    async def get(self, call: Call) -> Answer:
        rule = self._entities.get(call.own_path(), Rule)
        return json_answer(rule.with_status(self._status(rule)))

    async def put(self, call: Call) -> Answer:
        path = call.own_path()
        overwrite = boolean(call.route.query, "overwrite", default=False)
        call.check_json()
        patch = parse_body(call.body, RulePatch)
        old = self._entities.replaced(path, Rule, overwrite=overwrite)
        trigger_name, action_name = self._named(call.user, old, patch)
        trigger = self._existing_trigger(call.user, trigger_name)
        self._check_action(call.user, action_name)
        namespace, _, name = path.rpartition("/")
        now_ms = self._clock.controller_ms()
        rule = put_rule(
            old, patch, namespace=namespace, name=name, trigger=trigger_name, action=action_name, knobs=self._knobs, now_ms=now_ms
        )
        status: RuleStatus = "active" if old is None else self._status(old)
        if old is not None and old.trigger != rule.trigger:
            self._unlink(old)
        self._entities.amend(trigger.linked(path, Link(action_name, status)))
        self._entities.put(rule)
        return json_answer(rule.with_status(status))

    async def delete(self, call: Call) -> Answer:
        rule = self._entities.delete(call.own_path(), Rule)
        self._unlink(rule)
        return json_answer(rule.with_status("inactive"))

    async def set_status(self, call: Call) -> Answer:
        path = call.own_path()
        call.check_json()
        wanted = parse_body(call.body, StatusPatch).status
        rule = self._entities.get(path, Rule)
        if wanted != self._status(rule):
            trigger = self._found(rule.trigger)
            if trigger is None:
                raise refusal(404, "Only rules with existing triggers can be activated")
            self._entities.amend(trigger.linked(path, Link(rule.action, wanted)))
        return text_answer("OK", cors=True)

    def _named(self, user: User, old: Rule | None, patch: RulePatch) -> tuple[Name, Name]:
        """Trigger and action. Raises the 400 of a new rule that lacks one."""
        trigger = old.trigger if old else None
        action = old.action if old else None
        if patch.trigger is not None:
            trigger = parse_name(patch.trigger, user.namespace)
        if patch.action is not None:
            action = parse_name(patch.action, user.namespace)
        if trigger is None or action is None:
            raise refusal(400, "rule requires a valid trigger and a valid action")
        return trigger, action

    def _existing_trigger(self, user: User, name: Name) -> Trigger:
        """Raises the 403 of a foreign trigger and the 400 of one that is not there."""
        if name.namespace != user.namespace:
            raise foreign(name.path)
        trigger = self._found(name)
        if trigger is None:
            raise refusal(400, f"trigger /{name.path} does not exist")
        return trigger

    def _check_action(self, user: User, name: Name) -> None:
        """Raises the 403 and 404 of a package that may not be called into, and the 400 of an action that is not there."""
        self._resolver.check_access(user, name.namespace, name.names)
        try:
            self._resolver.callee(user, name.namespace, name.names)
        except Refused as refused:
            if refused.status == 403:
                raise
            raise refusal(400, f"action /{name.path} does not exist") from None

    def _found(self, name: Name) -> Trigger | None:
        """None where there is none, or something else has the name."""
        try:
            return self._entities.find(name.path, Trigger)
        except Refused:
            return None

    def _status(self, rule: Rule) -> RuleStatus:
        trigger = self._found(rule.trigger)
        link = trigger.rules.get(rule.path) if trigger is not None else None
        return link.status if link is not None else "inactive"

    def _unlink(self, rule: Rule) -> None:
        trigger = self._found(rule.trigger)
        if trigger is not None:
            self._entities.amend(trigger.unlinked(rule.path))
