"""Streams: bounded, with a policy for when they are full; for threads and for asyncio."""

import asyncio
import threading

from klemheist import Publisher, Stream, StreamFull

# A producer that may wait: a full stream holds it up, until there is room or the deadline.
work = Stream(2, overflow="block", put_timeout=5.0)


def produce():
    for number in range(10):
        work.put(number)
    work.close()


threading.Thread(target=produce).start()
assert list(work) == list(range(10))  # a consumer: `for`, `async for`, get(), or deliver(function)

# A source that waits for nobody: each subscriber has a stream of its own, and its own policy.
readings = Publisher()
everything = readings.subscribe(int, buffer=1024, dropped=lambda count: f"{count} missed")
newest = readings.subscribe(kind="latest")
strict = readings.subscribe(buffer=4, overflow="error")  # loses nothing, or its subscription
for number in range(2000):
    readings.publish(number)
readings.close()

assert newest.get() == 1999
assert everything.get() == "976 missed"
assert len(list(everything)) == 1024


async def follow():
    first = [await strict.aget() for _ in range(4)]
    try:
        await strict.aget(timeout=1.0)
    except StreamFull as error:
        print("was too far behind:", error)
    return first


assert asyncio.run(follow()) == [0, 1, 2, 3]
