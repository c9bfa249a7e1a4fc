"""The device's files: written whole, proved by checksum, removed with the session on request."""

import klemheist

with klemheist.SessionManager() as manager:
    with manager.session("sim:") as s:
        s.files.write("settings.json", b'{"pin": 25}')
        s("import json")
        assert s("json.load(open('settings.json'))") == {"pin": 25}
        assert s.files.read("settings.json") == b'{"pin": 25}'

        s.files.write("scratch.bin", bytes(2048), temporary=True)  # goes with the session
        print(s.files.list())

    with manager.session("sim:") as s:
        assert s.files.exists("settings.json")
        assert not s.files.exists("scratch.bin")
        s.files.remove("settings.json")
