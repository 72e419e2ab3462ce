"""Where a storm is played: the platform that it meets, and the cluster that it comes from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from owray.fleet.cluster import RayCluster
from owray.fleet.spec import Gateway
from owray.openwhisk.target import Target

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


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
            authorities=_authorities() if tls else "",
        )


def _authorities() -> str:
    """The certificates of the file that SSL_CERT_FILE names, as OpenSSL reads it: what is no certificate in it is passed over."""
    try:
        text = Path(os.environ.get("SSL_CERT_FILE", "")).read_bytes().decode("ascii", errors="ignore")
    except OSError:
        return ""
    return "\n".join(_CERTIFICATE.findall(text))
