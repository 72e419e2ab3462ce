"""The requests about packages: list, GET, PUT, DELETE."""

from __future__ import annotations

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import Answer, json_answer, refusal
from cluster.openwhisk.embedded.calls import Call, Handler
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import parse_body
from cluster.openwhisk.embedded.packages import Package, PackagePatch, contents, provider, put_package, readable_package
from cluster.openwhisk.embedded.queries import Page, boolean
from cluster.openwhisk.embedded.routes import Place

COLLECTION = "packages"


class PackageApi:
    """Handlers of the routes below `/packages`."""

    def __init__(self, knobs: Knobs, entities: Entities, clock: Clock) -> None:
        self._knobs = knobs
        self._entities = entities
        self._clock = clock

    def routes(self) -> dict[tuple[Place, str], Handler]:
        return {
            ("packages", "GET"): self.list,
            ("package", "GET"): self.get,
            ("package", "PUT"): self.put,
            ("package", "DELETE"): self.delete,
        }

    async def list(self, call: Call) -> Answer:
        """All of one's own, and of another's namespace those that are public."""
        call.check_names()
        namespace = call.any_namespace()
        mine = namespace == call.user.namespace
        packages = [package for package in self._entities.listed(Package, namespace) if mine or package.publish]
        return json_answer(Page.of(call.route.query, COLLECTION).of_entities(COLLECTION, packages))

    async def get(self, call: Call) -> Answer:
        call.check_names()
        (name,) = call.route.names
        package = readable_package(self._entities, call.user, call.any_namespace(), name)
        source = provider(self._entities, call.user, package)
        shown = package if source is package else package.inheriting(source)
        return json_answer(shown.document() | contents(self._entities, source))

    async def put(self, call: Call) -> Answer:
        path = call.own_path()
        overwrite = boolean(call.route.query, "overwrite", default=False)
        call.check_json()
        patch = parse_body(call.body, PackagePatch)
        old = self._entities.replaced(path, Package, overwrite=overwrite)
        (name,) = call.route.names
        package = put_package(
            old, patch, user=call.user, name=name, entities=self._entities, knobs=self._knobs, now_ms=self._clock.controller_ms()
        )
        self._entities.put(package)
        return json_answer(package.document())

    async def delete(self, call: Call) -> Answer:
        path = call.own_path()
        force = boolean(call.route.query, "force", default=False)
        package = self._entities.get(path, Package)
        inside = self._entities.within(path, Action)
        if inside and not force:
            count = "1 entity" if len(inside) == 1 else f"{len(inside)} entities"
            raise refusal(409, f"Package not empty (contains {count}). Set force param or delete package contents.")
        for action in inside:
            self._entities.delete(action.path, Action)
        return json_answer(self._entities.delete(package.path, Package).document())
