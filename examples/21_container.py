"""A manager in a dependency-injection container: one for the service, a session for each use.

`pip install "klemheist[sim]" dependency-injector`
"""

from dependency_injector import containers, providers

import klemheist


class Container(containers.DeclarativeContainer):
    config = providers.Configuration(default={"device": "sim:", "sessions": 10})
    options = providers.Factory(
        klemheist.SessionOptions, max_concurrent_sessions=config.sessions.as_int()
    )
    manager = providers.Singleton(klemheist.SessionManager, options)
    session = providers.Factory(
        lambda manager, device: manager.session(device), manager, config.device
    )


class Thermometer:
    """A service of the application: it is given a manager, and knows nothing of how it is made."""

    def __init__(self, manager: klemheist.SessionManager, device: str) -> None:
        self._manager, self._device = manager, device

    def read(self) -> int:
        def measured(session: klemheist.Session) -> int:
            lamp = klemheist.Resource("lamp", undo="lamp = 0")
            session.resources.register_resource(lamp)
            session("lamp = 1")
            return session("20 + lamp")

        return self._manager.execute_in_session(self._device, measured)


container = Container()
manager = container.manager()
try:
    assert container.manager() is manager  # a singleton; sessions are made anew
    with container.session() as one, container.session() as another:
        assert one.session_id != another.session_id
        assert one.resources.session_id == one.session_id  # and so is the tracker of each
        assert one.resources is not another.resources
    assert Thermometer(manager, container.config.device()).read() == 21
    assert manager.get_session_stats().active_session_count == 0
finally:
    manager.close()
