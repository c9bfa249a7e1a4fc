"""Fetch the embedded board's interpreter once, ahead of the first use, and say so."""

from __future__ import annotations

import sys

from klemheist.errors import KlemheistError
from klemheist.transports.sim.interpreter import VERSION, cache_folder, interpreter_path
from klemheist.transports.sim.node import find_node

home = cache_folder() / f"micropython-{VERSION}"
if not home.exists():
    print(f"Fetching MicroPython {VERSION} for sim: into {home} …", flush=True)
    try:
        interpreter_path(find_node())
    except KlemheistError as error:
        sys.exit(str(error))
