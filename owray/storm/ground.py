"""Where a storm is played: the platform that it meets, and the cluster that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from owray.fleet.cluster import RayCluster
from owray.fleet.spec import Gateway
from owray.openwhisk.target import Target


@dataclass(frozen=True, slots=True)
class Ground:
    """A target, and a Ray cluster to play from."""

    target: Target
    cluster: RayCluster

    def gateway(self) -> Gateway:
        """The target as invokers need it."""
        parts = urlsplit(self.target.api_host)
        tls = parts.scheme == "https"
        return Gateway(
            host=parts.hostname or "",
            port=parts.port or (443 if tls else 80),
            auth=self.target.auth,
            tls=tls,
            insecure=self.target.insecure,
            namespace=self.target.namespace,
        )
