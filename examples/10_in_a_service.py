"""Inside an asyncio service (FastAPI, Starlette, …): one manager for the application's life."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import klemheist


@asynccontextmanager
async def lifespan(app):  # FastAPI(lifespan=lifespan)
    async with klemheist.AsyncSessionManager() as manager:
        app.state.devices = manager
        yield


async def temperature(app):  # a request's handler
    async def read(session):
        return await session("20 + 1.5")

    return await app.state.devices.execute_in_session("sim:", read)


async def serve():
    app = SimpleNamespace(state=SimpleNamespace())  # what the framework makes
    async with lifespan(app):
        readings = await asyncio.gather(*(temperature(app) for _ in range(3)))
        assert readings == [21.5, 21.5, 21.5]


asyncio.run(serve())
