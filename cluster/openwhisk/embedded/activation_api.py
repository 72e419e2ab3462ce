"""The requests about activations: list, record, result and logs."""

from __future__ import annotations

from cluster.openwhisk.embedded.activations import Activations, Stored, summary
from cluster.openwhisk.embedded.answers import NOT_FOUND, Answer, encode, json_answer, refusal
from cluster.openwhisk.embedded.calls import Call, Handler
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.ids import checked_activation_id, checked_name
from cluster.openwhisk.embedded.queries import Page, boolean, instant_ms, malformed
from cluster.openwhisk.embedded.routes import Place

COLLECTION = "activations"

OUT_OF_BAND = ["Logs are not available."]


class ActivationApi:
    """Handlers of the routes below `/activations`."""

    def __init__(self, knobs: Knobs, activations: Activations) -> None:
        self._knobs = knobs
        self._activations = activations

    def routes(self) -> dict[tuple[Place, str], Handler]:
        return {
            ("activations", "GET"): self.list,
            ("activation", "GET"): self.get,
            ("activation result", "GET"): self.result,
            ("activation logs", "GET"): self.logs,
        }

    async def list(self, call: Call) -> Answer:
        call.check_names()
        namespace = call.namespace()
        query = call.route.query
        page = Page.of(query, COLLECTION)
        docs = boolean(query, "docs", default=False)
        if docs and page.only_count:
            raise refusal(400, "The parameter 'docs' is not permitted with 'count'.")
        place = _place(namespace, query.get("name"))
        since_ms, upto_ms = instant_ms(query, "since"), instant_ms(query, "upto")
        if page.only_count:
            return json_answer({COLLECTION: max(0, self._activations.count(place, since_ms, upto_ms) - page.skip)})
        wanted = self._activations.select(place, since_ms, upto_ms, skip=page.skip, limit=page.limit)
        if docs:
            return Answer(200, b"[%b]" % b",".join([stored.record for stored in wanted]))
        return Answer(200, encode([summary(stored) for stored in wanted]))

    async def get(self, call: Call) -> Answer:
        return Answer(200, self._stored(call).record)

    async def result(self, call: Call) -> Answer:
        return json_answer(self._stored(call).decoded().response)

    async def logs(self, call: Call) -> Answer:
        stored = self._stored(call)
        return json_answer({"logs": OUT_OF_BAND if self._knobs.log_store == "driver" else stored.decoded().logs})

    def _stored(self, call: Call) -> Stored:
        (activation_id,) = call.route.names
        checked_activation_id(activation_id)
        stored = self._activations.get(call.namespace(), activation_id)
        if stored is None:
            raise refusal(404, NOT_FOUND)
        return stored


def _place(namespace: str, name: str | None) -> str:
    """What is listed: a namespace, or of it what goes by a name; the filter `name` is an action's, or a package's and an action's."""
    if name is None:
        return namespace
    segments = name.split("/")
    if len(segments) > 2:
        raise malformed("name", f"Parameter may be a 'simple' name or 'package-name/simple' name: {name}")
    return "/".join((namespace, *map(checked_name, segments)))
