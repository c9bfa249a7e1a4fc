"""What is plugged in, what comes and goes, and what a service does just now."""

import threading

import klemheist

for port in klemheist.list_ports():
    print(port.url, port.description)  # the URL stays right when the port is renamed


def follow(events):
    for event in events:  # until the manager ends
        print(type(event).__name__, event.port.url, event.port.description)


with klemheist.SessionManager() as manager:
    events = manager.events(klemheist.PortAppeared, klemheist.PortGone)
    follower = threading.Thread(target=follow, args=(events,))
    follower.start()

    with manager.session("sim:") as s:
        assert s("6 * 7") == 42

        [device] = manager.status()["devices"]  # what `klemheist top` shows, of all services
        print(device["url"], device["state"], "median", device["median"], "seconds a call")
        assert device["sessions"][0]["id"] == s.session_id

follower.join()
