"""Every call has a deadline, every wait can be given up; the device is ready again after both."""

import threading

import klemheist

with klemheist.SessionManager(klemheist.SessionOptions(call_timeout=10.0)) as manager:
    with manager.session("sim:") as s:
        s("import time")

        try:
            s("time.sleep(60)", timeout=0.2)  # at the deadline the caller has the error at once
        except klemheist.LinkTimeout as error:
            assert error.maybe_executed  # it had begun
        assert s("1 + 1") == 2  # meanwhile the device was interrupted and asked for its prompt

        sleeping = s.submit("time.sleep(60)")
        sleeping.cancel()  # the waiter is free at once, the device a moment later
        assert s("2 + 2") == 4

        def endless(session):
            session("import time\nwhile True: time.sleep(0.01)")

        token = klemheist.CancelToken()
        threading.Timer(0.1, token.cancel, ["the user left"]).start()
        try:
            manager.execute_in_session("sim:", endless, cancel=token)
        except klemheist.CallCancelled as error:
            print(error)
        assert s("3 + 3") == 6  # the other session on this device never noticed
