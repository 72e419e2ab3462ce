"""Which actions a storm, or a stream of it, calls, and how often each against the others.

--action align              one action of a catalogue
--workload genomics         all its actions, by the weights of their manifests
--mix genomics=3,noop=1     workloads and actions by weight: three calls of four go to a workload, whose own weights share them out
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from owray.openwhisk.catalogue import Manifest, UnknownNameError, catalogue, find, workload, workloads
from owray.storm.bad_request import BadRequest

MOST_WEIGHT = 1e9

_EXAMPLE = "one looks like genomics=3,noop=1, workloads or actions and their weights"


@dataclass(frozen=True, slots=True)
class Share:
    """Actions that are called by the weights of their manifests. `weight` is that of all together, None where there are no others."""

    manifests: tuple[Manifest, ...]
    weight: float | None = None

    def weights(self, played: Iterable[Manifest]) -> dict[str, float]:
        """Weights by name, of those that are played: what one that is not would have had goes to the others."""
        names = {manifest.name for manifest in played}
        mine = [manifest for manifest in self.manifests if manifest.name in names]
        together = sum(manifest.weight for manifest in mine)
        scale = 1.0 if self.weight is None else self.weight / max(together, 1e-9)
        return {manifest.name: manifest.weight * scale for manifest in mine}


def shares(workload_name: str | None, action: str | None, mix: str | None, actions_dir: Path | None) -> tuple[Share, ...]:
    """What is asked for by one of the three. Raises BadRequest, UnknownNameError and ManifestError."""
    if action is not None:
        return (Share((find(action, actions_dir),)),)
    if mix is not None:
        return tuple(Share(_named(name, actions_dir), weight) for name, weight in read_mix(mix).items())
    return (Share(workload(workload_name or "", actions_dir).actions),)


def read_mix(text: str) -> dict[str, float]:
    """Weights by name. Raises BadRequest."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = (each.strip() for each in part.partition("="))
        if not name or not equals:
            raise BadRequest(f"--mix: {part.strip()!r} is no part of a mix; {_EXAMPLE}")
        if name in weights:
            raise BadRequest(f"--mix: {name!r} has two weights")
        weights[name] = _weight(name, weight)
    return weights


def _weight(name: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise BadRequest(f"--mix: the weight of {name!r} is a number, not {text!r}") from None
    if not 0 < weight <= MOST_WEIGHT:
        raise BadRequest(f"--mix: the weight of {name!r} is above zero and at most {MOST_WEIGHT:,.0f}, not {text}")
    return weight


def _named(name: str, actions_dir: Path | None) -> tuple[Manifest, ...]:
    """The actions of a workload, or the one action of this name. Raises UnknownNameError."""
    known = workloads(actions_dir)
    if name in known:
        return known[name].actions
    actions = catalogue(actions_dir)
    if name not in actions:
        raise UnknownNameError("workload or action", name, [*known, *actions])
    return (actions[name],)
