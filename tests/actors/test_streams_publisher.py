"""Publishers: to each subscriber a stream of their own, and the source waits for nobody."""

from __future__ import annotations

import pytest

from klemheist.actors.runtime import InvalidArgument
from klemheist.actors.streams import Publisher, Put, StreamClosed, StreamFull


@pytest.fixture
def publisher():
    return Publisher()


def test_each_subscriber_gets_everything_from_then_on(publisher):
    publisher.publish("nobody")
    first = publisher.subscribe()
    publisher.publish("one")
    second = publisher.subscribe()
    publisher.publish("two")
    publisher.close()
    assert (list(first), list(second)) == (["one", "two"], ["two"])


def test_a_subscriber_gets_the_classes_it_asked_for(publisher):
    with publisher.subscribe(int, bytes) as numbers:
        for item in (1, "a", b"b", None):
            publisher.publish(item)
    assert list(numbers) == [1, b"b"]


def test_closing_a_subscription_unsubscribes(publisher):
    with publisher.subscribe() as subscription:
        assert publisher
        assert len(publisher) == 1
    assert not publisher
    publisher.publish("late")
    assert list(subscription) == []


def test_a_slow_subscriber_loses_the_oldest_and_the_others_nothing(publisher):
    slow, quick = publisher.subscribe(buffer=2), publisher.subscribe()
    for number in range(5):
        publisher.publish(number)
    publisher.close()
    assert (list(slow), slow.dropped) == ([3, 4], 3)
    assert list(quick) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("options", [{"overflow": "error"}, {"overflow": "resize"}])
def test_one_that_may_lose_nothing_ends_when_it_is_behind(publisher, options):
    strict = publisher.subscribe(buffer=1, max_capacity=1, **options)
    publisher.publish("one")
    publisher.publish("two")
    assert strict.get() == "one"
    with pytest.raises(StreamFull):
        strict.get()
    assert not publisher


def test_no_source_waits_for_its_audience(publisher):
    with pytest.raises(ValueError, match="a source waits for nobody"):
        publisher.subscribe(overflow="block")


def test_a_subscription_may_be_a_function_even_one_that_fails(publisher):
    seen = []

    def listen(item):
        seen.append(item)
        raise RuntimeError("a bug of the test")

    publisher.subscribe().deliver(listen)
    publisher.publish(1)
    publisher.publish(2)
    assert seen == [1, 2]


def test_a_publisher_that_is_closed_gives_streams_that_have_ended(publisher):
    publisher.close()
    publisher.close()
    late = publisher.subscribe()
    assert late.put(1) is Put.CLOSED
    with pytest.raises(StreamClosed):
        late.get()


@pytest.mark.parametrize("wanted", ["int", 5, []], ids=repr)
def test_a_wanted_type_that_is_no_class_is_refused_and_no_item_meets_it(wanted):
    publisher = Publisher()
    with pytest.raises(InvalidArgument, match=r"^types=.*: use classes$"):
        publisher.subscribe(str, wanted)
    publisher.publish(1)
    assert not publisher
