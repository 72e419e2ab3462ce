"""The options by which commands are told which OpenWhisk to speak to; owray.openwhisk.choice has the rule that they go by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from owray.openwhisk.choice import Asked


@dataclass(frozen=True, slots=True)
class Targeting:
    """Which OpenWhisk is meant."""

    lab: Annotated[
        str | None,
        typer.Option(help="The lab whose OpenWhisk is meant. Without it the lab 'local' if it is up, else what ~/.wskprops names."),
    ] = None
    api_host: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An OpenWhisk: https://host:port. WHISK_APIHOST and WHISK_AUTH in the environment do as well."),
    ] = None
    auth_file: Annotated[
        Path | None,
        typer.Option(
            help="The file with the key: uuid:key and nothing else, or a wskprops file. Default: ~/.wskprops, or WSK_CONFIG_FILE."
        ),
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not check the certificate of an https target.")] = False

    def asked(self) -> Asked:
        from owray.openwhisk.choice import Asked

        return Asked(self.lab, self.api_host, self.auth_file, self.insecure)
