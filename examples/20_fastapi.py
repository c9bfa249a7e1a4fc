"""A FastAPI service whose lifespan owns the manager: devices live as long as the service.

`pip install "klemheist[sim]" fastapi uvicorn`, then `uvicorn 20_fastapi:app`; run as a script it
tries itself.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from klemheist import AsyncSession, AsyncSessionManager, DeviceError, LinkError

DEVICE = "sim:"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncSessionManager() as manager:  # its end ends all sessions, in order
        app.state.manager = manager
        yield


def manager_of(request: Request) -> AsyncSessionManager:
    return request.app.state.manager


Manager = Annotated[AsyncSessionManager, Depends(manager_of)]
app = FastAPI(lifespan=lifespan)


async def session_of(manager: Manager) -> AsyncIterator[AsyncSession]:
    async with manager.session(DEVICE) as session:  # nothing of this request stays on the device
        yield session


OwnSession = Annotated[AsyncSession, Depends(session_of)]


@app.get("/eval")
async def evaluate(code: str, manager: Manager) -> dict[str, object]:
    session = await manager.get_or_create_session(DEVICE)  # one session, shared by all requests
    try:
        return {"value": await session.execute(code, timeout=2.0)}
    except DeviceError as error:
        raise HTTPException(422, str(error)) from error
    except LinkError as error:  # the device is being recovered: the next request finds it back
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from error


@app.post("/once")
async def once(code: str, session: OwnSession) -> dict[str, object]:
    await session.execute(code)
    return {"names": await session.execute("sorted(globals())")}


@app.get("/stream")
async def stream(code: str, manager: Manager) -> StreamingResponse:
    async def printed() -> AsyncIterator[bytes]:
        async with manager.session(DEVICE) as session:  # a client that goes ends it, and the code
            output = session.output()
            call = session.submit(code)
            call.add_done_callback(lambda _: output.close())
            async for piece in output:
                yield piece
            await call  # what the code raised

    return StreamingResponse(printed())


if __name__ == "__main__":
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        assert client.get("/eval", params={"code": "6 * 7"}).json() == {"value": 42}
        assert client.get("/eval", params={"code": "1 / 0"}).status_code == 422
        names = client.post("/once", params={"code": "x = 1"}).json()["names"]
        assert "x" in names
        gone = client.post("/once", params={"code": "y = 2"}).json()["names"]
        assert "x" not in gone
        counted = client.get("/stream", params={"code": "for i in range(3): print(i)"})
        assert counted.text.split() == ["0", "1", "2"]
        print(names, gone)
