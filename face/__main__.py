"""`python -m klemheist` is the command `klemheist`."""

from __future__ import annotations

import sys

from klemheist.cli.main import main

sys.exit(main())
