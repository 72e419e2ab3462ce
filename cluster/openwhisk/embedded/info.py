"""What the platform says about itself, to anybody who asks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cluster.openwhisk.embedded.config import PlatformConfig
from cluster.openwhisk.embedded.kinds import Kinds
from cluster.openwhisk.embedded.limits import system_limits

ISOLATION = (
    "Containers are processes of this machine with the rights of the user who started the platform: they are not a sandbox, "
    "and their memory limit is a slot size for the pool that nothing enforces."
)


def root_info(config: PlatformConfig, kinds: Kinds) -> dict[str, Any]:
    """`GET /`. What is this platform's own stands under `embedded`, where it disturbs no client."""
    knobs = config.knobs()
    return {
        "description": "OpenWhisk",
        "support": {
            "github": "https://github.com/apache/openwhisk/issues",
            "slack": "http://slack.openwhisk.org",
        },
        "api_paths": ["/api/v1"],
        "limits": system_limits(knobs),
        "runtimes": kinds.described(),
        "embedded": {"profile": config.profile, "isolation": ISOLATION, "knobs": asdict(knobs)},
    }


def api_info() -> dict[str, Any]:
    """`GET /api/v1`."""
    return {
        "description": "OpenWhisk API",
        "api_version": "1.0.0",
        "api_version_path": "v1",
        "build": "embedded",
        "buildno": "owray",
        "swagger_paths": {"ui": "/docs", "api-docs": "/api-docs"},
    }
