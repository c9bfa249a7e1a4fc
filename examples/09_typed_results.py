"""Values come back as what they are; give them a type of your own where they enter your program."""

from dataclasses import dataclass

import klemheist


@dataclass(frozen=True)
class Status:
    free: int
    platform: str
    temperature: float


def get_status(session):
    session("import gc, sys")
    return Status(**session("dict(free=gc.mem_free(), platform=sys.platform, temperature=21.5)"))


with klemheist.SessionManager() as manager:
    status = manager.execute_in_session("sim:", get_status)
    assert status.free > 0
    assert status.platform == "webassembly"
    assert status.temperature == 21.5

    with manager.session("sim:") as s:
        try:
            s("object()")  # no literal can say it: an error, never a string
        except klemheist.ResultTypeError as error:
            print(error)
