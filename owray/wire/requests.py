"""Requests made before the storm, so that a call costs one splice: its id.

Every call carries `X-Request-ID: <run>-<seq>`, which OpenWhisk takes over as its transaction id: a server's log can be a witness to
what the rows say. The invocation is `blocking=true` without `result=true`, so that the reply is the whole activation record, with the
server's own times in it and no database read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from owray.http1.request import render
from owray.plan.mix import Entry
from owray.record.run import request_id

_ANY_SEQ = 0  # one digit, which is cut out again


@dataclass(frozen=True, slots=True)
class Prepared:
    """The request of one variant of one entry, cut where the seq belongs, and the checksum of a right answer."""

    before_seq: bytes
    after_seq: bytes
    expected: str | None

    def of(self, seq: int) -> bytes:
        return b"%b%d%b" % (self.before_seq, seq, self.after_seq)


def prepare(entries: Sequence[Entry], *, host: str, auth: str, namespace: str, run: str) -> list[list[Prepared]]:
    """The requests of a storm, by index of entry and of variant. `auth` is the platform's "uuid:key", `host` the Host header."""
    credentials = base64.b64encode(auth.encode()).decode()
    prepared = []
    for entry in entries:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/actions/{quote(entry.path)}?blocking=true"
        variants = []
        for variant in entry.variants:
            request = render(
                "POST",
                path,
                {
                    "Host": host,
                    "Authorization": f"Basic {credentials}",
                    "Content-Type": "application/json",
                    "User-Agent": "owray",
                    "X-Request-ID": request_id(run, _ANY_SEQ),
                },
                json.dumps(dict(variant.parameters), separators=(",", ":")).encode(),
            )
            name_and_id = f"X-Request-ID: {request_id(run, _ANY_SEQ)}".encode()
            cut = request.index(name_and_id) + len(name_and_id) - 1
            variants.append(Prepared(request[:cut], request[cut + 1 :], variant.expected))
        prepared.append(variants)
    return prepared
