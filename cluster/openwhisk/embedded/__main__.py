"""`python -m cluster.openwhisk.embedded CONFIG`: run the platform until SIGTERM. Its log goes to standard error."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import uvloop

from cluster.openwhisk.embedded.config import ConfigError, PlatformConfig
from cluster.openwhisk.embedded.service import serve


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m cluster.openwhisk.embedded CONFIG\n")
        return 1
    try:
        config = PlatformConfig.load(Path(sys.argv[1]))
    except ConfigError as error:
        sys.stderr.write(f"owray: {error}\n")
        return 1
    try:
        uvloop.run(serve(config))
    except ConfigError as error:  # a knob that this machine cannot turn
        sys.stderr.write(f"owray: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"owray: the platform cannot start on {config.host}:{config.port} in {config.state_dir}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
