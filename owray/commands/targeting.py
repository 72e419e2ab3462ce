"""The options by which commands are told which OpenWhisk to speak to; owray.openwhisk.choice has the rule that they go by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Lab = Annotated[
    str | None,
    typer.Option(help="The lab whose OpenWhisk is meant. Without it the lab 'local' if it is up, else what ~/.wskprops names."),
]
ApiHost = Annotated[
    str | None,
    typer.Option(metavar="URL", help="An OpenWhisk: https://host:port. WHISK_APIHOST and WHISK_AUTH in the environment do as well."),
]
AuthFile = Annotated[
    Path | None,
    typer.Option(help="The file with the key: uuid:key and nothing else, or a wskprops file. Default: ~/.wskprops, or WSK_CONFIG_FILE."),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check the certificate of an https target.")]
