"""Before the storm: what the platform says of itself, the actions it lacks, and whether what is there already is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from owray.openwhisk.catalogue import Manifest
from owray.openwhisk.client import OpenWhisk
from owray.openwhisk.deploy import Deployed, deploy_all, is_supported
from owray.openwhisk.target import Target
from owray.storm.bad_request import BadRequest
from owray.storm.choose import Chosen
from owray.storm.own import find_own


@dataclass(frozen=True, slots=True)
class PreparedPlatform:
    """What the platform said (for the run's manifest), which actions are played, which had to be left out, what else is to be known."""

    info: dict[str, Any]
    api: dict[str, Any]
    limits: dict[str, Any]
    played: tuple[Manifest, ...]
    deployed: tuple[Deployed, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def platform(self) -> dict[str, Any]:
        """The platform's own words, kept with the run."""
        actions = [{"path": one.path, "kind": one.kind, "version": one.version} for one in self.deployed]
        return {"info": self.info, "api": self.api, "limits": self.limits, "actions": actions}


async def prepare(target: Target, chosen: Chosen) -> PreparedPlatform:
    """Ask the platform for its limits and kinds, deploy what is missing or old, and find what should be there.

    Raises OpenWhiskError; BadRequest where the platform can run none of the actions; UnknownNameError where it does not have the one that
    is the user's own.
    """
    async with OpenWhisk(target) as client:
        info = await client.info()
        api = await client.api()
        limits = await client.limits()
        found = [await find_own(own, target) for own in chosen.own]
        there = tuple(deployed for deployed, _ in found if deployed is not None)
        notes = (*chosen.notes(), *(note for _, notes in found for note in notes))
        played = tuple(manifest for manifest in chosen.manifests if is_supported(manifest, info))
        left_out = tuple(f"{manifest.name} ({manifest.kind})" for manifest in chosen.manifests if manifest not in played)
        if not played and not chosen.own:
            raise BadRequest(f"{target.api_host} has no runtime for {', '.join(left_out)}.  (owray workloads lists others)")
        deployed = await deploy_all(client, played)
    return PreparedPlatform(info, api, limits, played, (*there, *deployed), left_out, notes)
