"""A folder of the host, and a folder of the device that holds the same: sync."""

import tempfile
from pathlib import Path

import klemheist

top = Path(tempfile.mkdtemp())
(top / "pkg").mkdir()
(top / "main.py").write_text("import pkg.sums\n")
(top / "pkg" / "sums.py").write_text("def add(a, b):\n    return a + b\n")

with klemheist.SessionManager() as manager:
    with manager.session("sim:") as s:
        done = s.files.sync(top, "/")
        assert set(done.written) == {"main.py", "pkg/sums.py"}

        done = s.files.sync(top, "/")  # nothing has changed: one round trip
        assert done.written == ()

        s.files.write("/main.py", b"somebody else was here")
        s.files.write("/old.py", b"")
        done = s.files.sync(top, "/", mirror=True, keep=["*.json"])
        assert done.written == ("main.py",)
        assert done.removed == ("old.py",)

        try:
            s.files.sync(top, "/../etc")
        except klemheist.errors.PathError as error:
            print(error)  # nothing was sent

        for place, folders, files in s.files.walk("/"):
            print(place, folders, [each.name for each in files])
