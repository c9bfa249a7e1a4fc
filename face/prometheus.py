"""Prometheus metrics of a manager: `pip install "klemheist[prometheus]"`.

    monitor = PrometheusMonitor()
    manager = SessionManager(monitor=monitor)
    REGISTRY.register(ManagerCollector(manager))

What the counters say is what `manager.performance` says too, and what the collector says stands in
`manager.status()`; only that a scraper reads them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Final

from klemheist import AsyncSessionManager, SessionManager
from klemheist.supervisors.manager.stats import PerformanceMonitor

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        'klemheist.prometheus needs prometheus_client: pip install "klemheist[prometheus]"'
    ) from error

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: a warm session takes one millisecond, a board that must start first a tenth."""


class PrometheusMonitor(PerformanceMonitor):
    """Tells Prometheus what a manager does (SES-115 to 117).

    Args:
        registry: where the metrics are registered; the process's own by default. Managers that
            share a registry share one monitor.
        buckets: upper bounds of the histogram, in seconds.
        enabled: False records nothing.

    Raises:
        ValueError: the registry has these metrics already; share the monitor.
    """

    def __init__(
        self,
        registry: CollectorRegistry = REGISTRY,
        *,
        buckets: tuple[float, ...] = BUCKETS,
        enabled: bool = True,
    ) -> None:
        super().__init__(enabled=enabled)
        named: dict[str, Any] = {"registry": registry}
        self._sessions = Counter(
            "klemheist_sessions_created_total", "Sessions that were created.", **named
        )
        self._seconds = Histogram(
            "klemheist_session_creation_seconds",
            "Seconds from the request for a session to the session.",
            buckets=buckets,
            **named,
        )
        self._resources = Counter(
            "klemheist_resources_registered_total",
            "Resources that sessions registered.",
            ["resource_type"],
            **named,
        )

    def record_session_creation(self, duration: float) -> None:
        """Count one session, whose creation took `duration` seconds."""
        super().record_session_creation(duration)
        if self.enabled:
            self._sessions.inc()
            self._seconds.observe(duration)

    def record_resource_registration(self, resource_type: str) -> None:
        """Count one registered resource."""
        super().record_resource_registration(resource_type)
        if self.enabled:
            self._resources.labels(resource_type).inc()


_COUNTERS: Final = {
    "calls": "Calls that the device was sent.",
    "faults": "Faults of the device or of its link.",
    "reopened": "Times that its link was opened again.",
    "restarts": "Restarts of its actors.",
}
_GAUGES: Final = {
    "waiting": "Calls that wait for the device.",
    "owed": "Cleanups that the device is owed.",
}
"""Keys of `manager.status()` for each device, and what they are."""
_QUANTILES: Final = {"median": "0.5", "p99": "0.99"}


class ManagerCollector(Collector):
    """Tells Prometheus, at each scrape, how the devices and sessions of a manager are.

    Register it once, in the registry that is scraped. It keeps no manager alive, and tells nothing
    of one that is gone. Series are named `klemheist_device_…`, by `device`, and
    `klemheist_sessions_active`.

    Args:
        manager: whose devices they are.
    """

    def __init__(self, manager: SessionManager | AsyncSessionManager) -> None:
        self._manager = weakref.ref(manager)

    def describe(self) -> list[Metric]:
        """Return nothing: to be registered asks no device."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return what there is now."""
        manager = self._manager()
        if manager is None:
            return
        status = manager.status()
        active = status["sessions"]["active"]
        yield GaugeMetricFamily("klemheist_sessions_active", "Sessions that live.", value=active)
        yield from _of_devices(status["devices"])


def _of_devices(devices: list[dict[str, Any]]) -> Iterator[Metric]:
    up = GaugeMetricFamily("klemheist_device_up", "1 while it answers.", labels=["device"])
    seconds = GaugeMetricFamily(
        "klemheist_device_call_seconds",
        "What a call took of late, from its sending to its answer.",
        labels=["device", "quantile"],
    )
    for each in devices:
        up.add_metric([each["url"]], each["state"] == "up")
        for key, quantile in _QUANTILES.items():
            if each[key] is not None:
                seconds.add_metric([each["url"], quantile], each[key])
    yield from (up, seconds)
    for kind, wanted in ((CounterMetricFamily, _COUNTERS), (GaugeMetricFamily, _GAUGES)):
        for key, text in wanted.items():
            family = kind(f"klemheist_device_{key}", text, labels=["device"])
            for each in devices:
                family.add_metric([each["url"]], each[key])
            yield family
