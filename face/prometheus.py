"""Prometheus metrics of a manager: `pip install "klemheist[prometheus]"`.

    monitor = PrometheusMonitor()
    manager = SessionManager(monitor=monitor)

What the counters say is what `manager.performance` says too; only that a scraper reads them.
"""

from __future__ import annotations

from typing import Any

from klemheist.supervisors.manager.stats import PerformanceMonitor

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
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
