from __future__ import annotations

import gc
import os
import signal
import weakref

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from klemheist import LinkLost, Resource, SessionManager, SessionOptions
from klemheist.prometheus import ManagerCollector, PrometheusMonitor


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.mark.req("SES-115", "SES-116", "SES-117")
def test_sessions_and_resources_are_counted_for_the_scraper(registry):
    with SessionManager(monitor=PrometheusMonitor(registry)) as manager:
        for _ in range(2):
            with manager.session("sim:") as session:
                session.resources.register_resource(Resource("light", print))
        assert manager.performance.snapshot().sessions_created == 2
    assert registry.get_sample_value("klemheist_sessions_created_total") == 2
    assert registry.get_sample_value("klemheist_session_creation_seconds_count") == 2
    seconds = registry.get_sample_value("klemheist_session_creation_seconds_sum")
    assert 0 < seconds < 60
    kind = {"resource_type": "light"}
    assert registry.get_sample_value("klemheist_resources_registered_total", kind) == 2
    assert b'klemheist_resources_registered_total{resource_type="light"} 2.0' in generate_latest(
        registry
    )


@pytest.mark.req("SES-086")
def test_without_metrics_nothing_is_counted(registry):
    options = SessionOptions(enable_session_metrics=False)
    monitor = PrometheusMonitor(registry)
    with SessionManager(options, monitor=monitor) as manager, manager.session("sim:"):
        pass
    assert registry.get_sample_value("klemheist_sessions_created_total") == 0


def test_managers_share_a_monitor_and_a_second_one_is_refused(registry):
    monitor = PrometheusMonitor(registry)
    for _ in range(2):
        with SessionManager(monitor=monitor) as manager, manager.session("sim:"):
            pass
    assert registry.get_sample_value("klemheist_sessions_created_total") == 2
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusMonitor(registry)


def test_a_scrape_sees_devices_as_they_are_now(registry):
    here = {"device": "sim:"}
    with SessionManager() as manager:
        registry.register(ManagerCollector(manager))
        assert registry.get_sample_value("klemheist_device_up", here) is None
        with manager.session("sim:") as session:
            for _ in range(5):
                session("1")
            assert registry.get_sample_value("klemheist_sessions_active") == 1
            assert registry.get_sample_value("klemheist_device_up", here) == 1
            assert registry.get_sample_value("klemheist_device_calls_total", here) >= 5
            median = {**here, "quantile": "0.5"}
            assert 0 < registry.get_sample_value("klemheist_device_call_seconds", median) < 10
            late = session.submit("__import__('time').sleep(20)")
            os.kill(manager.device("sim:").link.pid, signal.SIGKILL)
            with pytest.raises(LinkLost):
                late.get(timeout=10)
            assert session("1") == 1
            assert registry.get_sample_value("klemheist_device_faults_total", here) == 1
            assert registry.get_sample_value("klemheist_device_reopened_total", here) == 1


def test_a_collector_keeps_no_manager_alive(registry):
    manager = SessionManager()
    registry.register(ManagerCollector(manager))
    gone = weakref.ref(manager)
    manager.close()
    del manager
    gc.collect()
    assert gone() is None
    assert list(registry.collect()) == []
