"""Putting actions onto a platform, and leaving them alone where they are already right.

Every PUT gives an action a new version, and containers belong to one version: a needless PUT turns a warm platform cold. So what is
there is compared first. An action deployed by owray bears an annotation, `owray-digest`: a hash of all that owray chose for it. It stays
when the digest is the same and code and limits have not been changed behind its back.

    there                             done
    nothing                           created
    ours, the same                    left alone
    ours, different                   overwritten
    not ours (no such annotation)     refused, unless `overwrite_foreign`: it is somebody's work
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from owray.openwhisk.catalogue import Manifest
from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.records import annotations_of, runtimes_of

DIGEST_ANNOTATION = "owray-digest"


@dataclass(frozen=True, slots=True)
class Deployed:
    """An action as it now is on the platform. `kind` is the resolved one ("python:3.11" for "python:default")."""

    path: str
    kind: str
    version: str
    changed: bool


async def deploy(client: OpenWhisk, manifest: Manifest, path: str | None = None, *, overwrite_foreign: bool = False) -> Deployed:
    """Makes sure that the platform has this action. Raises OpenWhiskError.

    `path` is where it goes, the action's own name by default.
    """
    where = path or manifest.name
    present = await _present(client, where)
    if present is not None and _is_same(present, manifest):
        return _deployed(where, present, changed=False)
    if present is not None and DIGEST_ANNOTATION not in annotations_of(present) and not overwrite_foreign:
        raise OpenWhiskError(
            409,
            f"an action named {where!r} is there already, and owray did not make it",
            request=f"deploying to {client.target.api_host}:",
            fix="delete or rename it, or use another namespace",
        )
    try:
        stored = await client.put_action(where, _body(manifest), overwrite=present is not None)
    except OpenWhiskError as error:
        if error.status != 409 or present is not None:
            raise
        # Somebody has made it since, another storm perhaps: look again at what is there now.
        return await deploy(client, manifest, path, overwrite_foreign=overwrite_foreign)
    return _deployed(where, stored, changed=True)


async def deploy_all(client: OpenWhisk, manifests: Iterable[Manifest], *, overwrite_foreign: bool = False) -> tuple[Deployed, ...]:
    """Deploys several at once, in the order given. When some fail the others are still finished; then the first failure is raised."""
    results = await asyncio.gather(
        *(deploy(client, manifest, overwrite_foreign=overwrite_foreign) for manifest in manifests), return_exceptions=True
    )
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise failures[0]
    return tuple(result for result in results if isinstance(result, Deployed))


def is_supported(manifest: Manifest, platform_info: Mapping[str, Any]) -> bool:
    """Whether a platform has a runtime for the action, by its own answer to `GET /`; one that names no runtimes is believed to."""
    runtimes = runtimes_of(platform_info)
    if runtimes is None:
        return True
    family, _, version = manifest.kind.partition(":")
    return any(version == "default" or runtime["kind"] == manifest.kind for runtime in runtimes.get(family, ()))


def digest(manifest: Manifest) -> str:
    """SHA-256 over all that makes two deployments of an action the same."""
    chosen = {"code": manifest.code, "kind": manifest.kind, "main": manifest.main, "limits": _limits(manifest)}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


async def _present(client: OpenWhisk, path: str) -> dict[str, Any] | None:
    try:
        return await client.get_action(path, code=True)
    except OpenWhiskError as error:
        if error.status == 404:
            return None
        raise


def _is_same(present: Mapping[str, Any], manifest: Manifest) -> bool:
    limits = present.get("limits", {})
    return (
        annotations_of(present).get(DIGEST_ANNOTATION) == digest(manifest)
        and present.get("exec", {}).get("code") == manifest.code
        and all(limits.get(name) == value for name, value in _limits(manifest).items())
    )


def _body(manifest: Manifest) -> dict[str, Any]:
    return {
        "exec": {"kind": manifest.kind, "code": manifest.code, "main": manifest.main},
        "limits": _limits(manifest),
        "annotations": [{"key": DIGEST_ANNOTATION, "value": digest(manifest)}, {"key": "description", "value": manifest.description}],
    }


def _limits(manifest: Manifest) -> dict[str, int]:
    return {"timeout": manifest.timeout_ms, "memory": manifest.memory_mb, "logs": manifest.logs_mb}


def _deployed(path: str, stored: Mapping[str, Any], *, changed: bool) -> Deployed:
    kind = annotations_of(stored).get("exec") or stored["exec"]["kind"]
    return Deployed(path=path, kind=kind, version=stored["version"], changed=changed)
