"""The same from asyncio: two boards at once, and no call blocks the loop."""

import asyncio

import klemheist


async def main():
    async with klemheist.AsyncSessionManager() as manager:
        async with manager.session("sim:") as s:
            assert await s.execute("21 * 2") == 42

        async with manager.session("sim:left") as left, manager.session("sim:right") as right:
            answers = await asyncio.gather(left("1 + 1"), right("2 + 2"))
            assert answers == [2, 4]


asyncio.run(main())
