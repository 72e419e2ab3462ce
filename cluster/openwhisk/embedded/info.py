"""What the platform says about itself, to anybody who asks."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from cluster.openwhisk.embedded.config import PlatformConfig
from cluster.openwhisk.embedded.kinds import Kinds
from cluster.openwhisk.embedded.limits import system_limits
from cluster.openwhisk.embedded.memory import Way

ISOLATION = (
    "Containers are processes of this machine with the rights of the user who started the platform: they are not a sandbox, and {memory}."
)

MEMORY: dict[Way, str] = {
    "cgroup v1": "their memory is limited by a control group each",
    "cgroup v2": "their memory is limited by a control group each",
    "rlimit": "their memory is limited for each process by itself, by what it maps, and the runtime ends the container",
    "none": "their memory limit is a slot size for the pool that nothing enforces",
}


def root_info(config: PlatformConfig, kinds: Kinds, memory: Way) -> dict[str, Any]:
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
        "embedded": {
            "profile": config.profile,
            "isolation": ISOLATION.format(memory=MEMORY[memory]),
            "memory_limit": memory,
            "container_cores": len(config.container_cores or os.sched_getaffinity(0)),
            "knobs": asdict(knobs),
        },
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
