from __future__ import annotations

import pytest

from tests.actors.session.conftest import HOST, manager, s, within  # noqa: F401 -- fixtures
from tests.actors.session.conftest import host as boards  # noqa: F401 -- the manager of such boards


@pytest.fixture
def host(boards):  # noqa: F811 -- a fixture's argument
    with boards.session(HOST) as session:
        yield session
