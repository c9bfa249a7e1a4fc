"""Several sessions on one device: what each may hold, who has which pin, and who is alone there."""

import klemheist
from klemheist import Budget, BudgetExceeded, DeviceBusy, Resource, ResourceConflict

with klemheist.SessionManager() as manager:
    # A budget: what goes beyond it is refused, or undone, and the session goes on.
    with manager.session("sim:", budget=Budget(memory=8_000, threads=1, cost=100)) as s:
        s.execute("log = []")
        try:
            s.execute("picture = bytearray(50_000)")
        except BudgetExceeded as error:
            print(error)
        assert s.execute("log") == []
        s.resources.register_resource(Resource("timer", estimated_cost=60))
        print(s.resources.get_resource_stats())

    # Claims: the same pin is not driven by two sessions.
    with manager.session("sim:") as one, manager.session("sim:") as two:
        one.resources.claim("pin", 25)
        try:
            two.resources.claim("pin", 25)
        except ResourceConflict as error:
            assert error.session_id == one.session_id
            print(error)
        for claim in manager.claims():
            print(claim.device, claim.kind, claim.name, claim.session_id)

    # Alone: the others wait for their turn, or are told at once.
    with manager.session("sim:", exclusive=True, wait=5.0) as alone:
        try:
            manager.create_session("sim:")
        except DeviceBusy as error:
            print(error)
        assert alone.execute("6 * 7") == 42
