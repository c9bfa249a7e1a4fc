"""Generators and proxies of the device, from asyncio."""

import asyncio

import klemheist


async def main():
    async with klemheist.AsyncSessionManager() as manager, manager.session("sim:") as s:

        @s.task
        def count(n):
            yield from range(n)

        async for number in count(3):
            print(number)

        await s("numbers = [1, 2]")
        numbers = await s.proxy("numbers")
        await numbers.append(3)
        await numbers[0].assign_(9)
        assert await numbers[0] == 9
        assert [each async for each in numbers] == [9, 2, 3]


asyncio.run(main())
