"""Before the storm: what the platform says of itself, and the actions it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from owray.openwhisk.catalogue import Manifest
from owray.openwhisk.client import OpenWhisk
from owray.openwhisk.deploy import Deployed, deploy_all, is_supported
from owray.openwhisk.target import Target
from owray.storm.request import BadRequest


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the platform said (for the run's manifest), which actions are played, and which had to be left out."""

    info: dict[str, Any]
    api: dict[str, Any]
    limits: dict[str, Any]
    played: tuple[Manifest, ...]
    deployed: tuple[Deployed, ...]
    left_out: tuple[str, ...]

    def platform(self) -> dict[str, Any]:
        """The platform's own words, kept with the run."""
        actions = [{"path": one.path, "kind": one.kind, "version": one.version} for one in self.deployed]
        return {"info": self.info, "api": self.api, "limits": self.limits, "actions": actions}


async def prepare(target: Target, manifests: Sequence[Manifest]) -> Prepared:
    """Ask the platform for its limits and kinds, and deploy what is missing or old.

    Raises OpenWhiskError; BadRequest where the platform can run none of the actions.
    """
    async with OpenWhisk(target) as client:
        info = await client.info()
        api = await client.api()
        limits = await client.limits()
        played = tuple(manifest for manifest in manifests if is_supported(manifest, info))
        left_out = tuple(f"{manifest.name} ({manifest.kind})" for manifest in manifests if manifest not in played)
        if not played:
            raise BadRequest(f"{target.api_host} has no runtime for {', '.join(left_out)}.  (owray workloads lists others)")
        deployed = await deploy_all(client, played)
    return Prepared(info, api, limits, played, deployed, left_out)
