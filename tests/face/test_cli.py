"""The verbs, by `main([...])` on the embedded board."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from klemheist import ArgumentError
from klemheist.cli import files, progress
from klemheist.cli.main import FAILED, OK, USAGE, main
from klemheist.transports import ports
from tests.boards.usb_bus import CH340, ON_BOARD, PICO


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Run where no configuration is, and name no device by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KLEMHEIST_DEVICE", raising=False)
    return tmp_path


def test_commands_joined_by_plus_share_one_session(capsys):
    assert main(["exec", "x = 20", "+", "eval", "x + 1", "+", "eval", "'é'"]) == OK
    assert capsys.readouterr().out == "21\n'é'\n"


def test_output_is_byte_for_byte(capsysbinary):
    assert main(["exec", "import sys\nsys.stdout.buffer.write(b'\\xff\\x00\\r\\n')"]) == OK
    assert capsysbinary.readouterr().out == b"\xff\x00\r\n"


def test_an_exception_of_the_device_shows_its_traceback(capsys, place):
    (place / "bad.py").write_text("def f():\n    return 1 / 0\n\n\nf()\n")

    assert main(["run", "bad.py", "+", "exec", "print('never')"]) == FAILED

    shown = capsys.readouterr()
    assert 'File "bad.py", line 5' in shown.err
    assert "ZeroDivisionError" in shown.err
    assert "never" not in shown.out


def test_run_takes_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("print(6 * 7)\n"))

    assert main(["run", "-"]) == OK
    assert capsys.readouterr().out.strip() == "42"


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["nix"], USAGE, "invalid choice"),
        ([], USAGE, "required"),
        (["cp", "a", "b"], FAILED, "colon"),
        (["run", "nix.py"], FAILED, "nix.py"),
        (["--device", "foo:", "info"], FAILED, "unknown scheme"),
        (["--device", "/dev/ttyNIX", "info"], FAILED, "/dev/ttyNIX"),
        (["--device", "nix", "info"], FAILED, "or a name from klemheist.toml"),
        (["eval", "x = 1"], FAILED, "no expression"),
        (["eval", "1", "--timeout", "-1"], USAGE, "--timeout: '-1': give"),
        (["eval", "1", "--timeout", "0"], USAGE, "--timeout: '0': give"),
        (["exec", "x ="], FAILED, "klemheist: "),
        (["deploy", "nix.py"], FAILED, "no Python file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(capsys, argv, code, told):
    assert main(argv) == code

    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"x = 1\nprint('\xe4')\n", "bad.py: 'utf-8' codec can't decode byte 0xe4"),
        (b"\x00\xff\n", "bad.py: "),
        (b"# coding: nix\n", "bad.py: unknown encoding"),
        (b"def f(:\n", "(bad.py, line 1)"),
    ],
)
def test_a_file_that_is_no_python_is_told_by_its_name(capsys, place, content, told):
    (place / "bad.py").write_bytes(content)

    assert main(["run", "bad.py"]) == FAILED

    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfprint('\xc3\xa4')\n", b"# coding: latin-1\nprint('\xe4')\n"]
)
def test_a_file_is_read_as_python_reads_it(capsys, place, content):
    (place / "good.py").write_bytes(content)

    assert main(["run", "good.py"]) == OK
    assert capsys.readouterr().out.strip() == "ä"


def test_an_expression_that_prints_is_heard(capsys):
    assert main(["eval", "print(6) or 7"]) == OK
    assert capsys.readouterr().out.split() == ["6", "7"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("def f():\n    return 1 / 0\n\n\nf()\n", "line 2, in f"),
        ("def f(:\n", "line 1"),
        ("import nix_nix\n", "No module named 'nix_nix'"),
    ],
)
def test_a_program_file_that_raises_shows_its_own_lines_only(capsys, place, content, shown):
    (place / "program.py").write_text(content)

    assert main(["deploy", "program.py"]) == FAILED

    error = capsys.readouterr().err
    assert shown in error
    assert 'program.py", line' in error
    assert "klemheist" not in error
    assert "importlib" not in error


def test_debug_raises(place):
    with pytest.raises(FileNotFoundError):
        main(["--debug", "run", "nix.py"])


@pytest.mark.parametrize("verb", ["demo", "run", "exec", "eval", "deploy", "devices", "info", "top",
                                  "repl", "ls", "cat", "cp", "rm"])  # fmt: skip
def test_every_verb_has_help_with_an_example(capsys, verb):
    assert main([verb, "--help"]) == OK
    assert f"klemheist {verb}" in capsys.readouterr().out.partition("examples:")[2].replace(
        "--device pico ", ""
    )


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == OK
    assert capsys.readouterr().out.startswith("klemheist 0.")


def test_files_go_there_and_back(capsys, place):
    (place / "a.py").write_bytes(b"a\x00\xff")
    (place / "b.py").write_bytes(b"b")

    assert main([
        *("cp", "a.py", ":c.py", "+", "cp", "a.py", "b.py", ":"),
        *("+", "cp", ":c.py", "back.bin", "+", "ls", "+", "cat", ":b.py"),
        *("+", "rm", ":a.py", ":b.py", "c.py", "+", "ls"),
    ]) == OK  # fmt: skip

    assert (place / "back.bin").read_bytes() == b"a\x00\xff"
    assert capsys.readouterr().out.split() == ["3", "a.py", "1", "b.py", "3", "c.py", "b"]


def test_a_folder_goes_there_and_back_and_away(capsys, place):
    (place / "app" / "sub").mkdir(parents=True)
    (place / "app" / "a.py").write_bytes(b"a")
    (place / "app" / "sub" / "b.py").write_bytes(b"bb")

    assert main([
        *("cp", "-r", "app", ":", "+", "mkdir", "-p", ":app/new/deep", "+", "touch", ":app/e"),
        *("+", "cp", "-r", ":app", "back", "+", "ls", ":app", "+", "rm", "-r", ":app", "+", "ls"),
    ]) == OK  # fmt: skip

    found = {each.relative_to(place / "back").as_posix() for each in (place / "back").rglob("*")}
    assert found == {"a.py", "e", "new", "new/deep", "sub", "sub/b.py"}
    assert (place / "back" / "sub" / "b.py").read_bytes() == b"bb"
    assert capsys.readouterr().out.split()[1::2] == ["a.py", "e", "new/", "sub/"]


def test_a_folder_is_not_copied_by_accident(capsys, place):
    (place / "app").mkdir()

    assert main(["cp", "app", ":"]) == FAILED
    assert "app is a directory; copy it with -r" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rm", ":app"], "rm: :app is not empty; remove it with -r"),
        (
            ["mkdir", ":no/b/c"],
            "mkdir: the directory above :no/b/c is not there; make it too with -p",
        ),
        (["cp", "a.py", ":no/"], "cp: :no/ is no directory; make it first with mkdir"),
        (["cp", "-r", "a.py", "no/"], "cp: nothing is on the device; write its paths with a colon"),
        (["cp", "a.py", "b.py", ":no"], "cp: :no is no directory; make it first with mkdir"),
        (["cp", "-r", "app", "app", ":no"], "cp: :no is no directory; make it first with mkdir"),
        (["cat", ":no.py"], ":no.py: no such file on the device"),
        (["touch", ":no/a.py"], ":no/a.py: the directory above it is not there; make it first"),
        (["cat", ":"], ":/: it is a directory"),
        (["cp", ":app/a.py", "no/"], "cp: no/ is no directory; make it first with mkdir"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_a_file_verb_cannot_do_is_told_in_its_own_words(capsys, place, words, told):
    (place / "app").mkdir()
    for name in ("a.py", "b.py", "app/a.py"):
        (place / name).write_bytes(b"a")

    assert main(["cp", "-r", "app", ":", "+", *words]) == FAILED

    error = capsys.readouterr().err
    assert error.startswith(f"klemheist: {told}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_becomes_the_target_that_is_not_there_as_with_mpremote(capsys, place, slash):
    (place / "app" / "sub").mkdir(parents=True)
    (place / "app" / "sub" / "a.py").write_bytes(b"a")

    assert main([
        *("cp", "-r", "app", f":new{slash}", "+", "cp", "-r", f"app{slash}", f":new{slash}"),
        *("+", "ls", ":new", "+", "cp", "-r", f":new{slash}", f"back{slash}"),
    ]) == OK  # fmt: skip

    assert capsys.readouterr().out.split()[1::2] == ["app/", "sub/"]
    assert (place / "back" / "app" / "sub" / "a.py").read_bytes() == b"a"
    assert (place / "back" / "sub" / "a.py").read_bytes() == b"a"


@pytest.mark.parametrize("target", [":app", ":app/", ":/app/sub", ":x/../app/new"])
def test_a_folder_is_not_copied_into_itself(capsys, place, target):
    (place / "app" / "sub").mkdir(parents=True)

    assert main(["cp", "-r", "app", ":", "+", "cp", "-r", ":app", target]) == FAILED
    assert ":app cannot be copied into itself" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", "../up", "a/b", "/etc", "", "."])
def test_a_device_does_not_say_where_files_are_written_here(name):
    listing = SimpleNamespace(
        list=lambda path: [SimpleNamespace(name="a"), SimpleNamespace(name=name)]
    )
    stay = SimpleNamespace(session=SimpleNamespace(files=listing))
    with pytest.raises(ArgumentError, match="no name of a file"):
        files._names(stay, ":")


def test_sync_says_what_it_did(capsys, place):
    (place / "app").mkdir()
    (place / "app" / "a.py").write_bytes(b"a = 1")
    (place / "app" / "link").symlink_to("nowhere")

    assert main([
        *("touch", ":old.py", ":kept.py", "+", "sync", "app"),
        *("+", "sync", "app", ":", "--mirror", "--keep", "kept.py", "--verify", "+", "ls"),
    ]) == OK  # fmt: skip

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "+ a.py"
    assert lines[1] == lines[4] == "link is skipped: it is neither a file nor a folder"
    assert lines[2].startswith("1 written, 0 removed, 0 unchanged; 5 bytes in ")
    assert lines[3] == "- old.py"
    assert lines[5].startswith("0 written, 1 removed, 1 unchanged; 0 bytes in ")
    assert [line.split()[1] for line in lines[6:]] == [".klemheist-manifest", "a.py", "kept.py"]


@pytest.mark.parametrize("words", [["cp", "gone.py", ":x.py"], ["run", "gone.py"]], ids=" ".join)
def test_a_host_file_that_is_not_there_is_named_in_one_line(capsys, words):
    assert main(words) == FAILED
    said = capsys.readouterr().err
    assert said == "klemheist: gone.py: No such file or directory; check the path\n"


def test_a_file_that_is_not_there_is_told(capsys):
    assert main(["cat", ":nix"]) == FAILED
    assert "nix: no such file on the device" in capsys.readouterr().err


def test_devices_are_listed_by_the_url_that_names_each_best(capsys, monkeypatch):
    found = [ON_BOARD, PICO.port("/dev/ttyACM0"), CH340.port("/dev/ttyUSB0")]
    monkeypatch.setattr(ports, "comports", lambda: found)

    assert main(["devices"]) == OK

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines[:3]] == [
        ["usb:serial=E6614C311B7F7B2A", "Board in FS mode at /dev/ttyACM0"],
        ["/dev/ttyS0"],
        ["usb:vid=1a86&pid=7523", "USB Serial at /dev/ttyUSB0"],
    ]


def test_names_come_from_the_configuration(capsys, place):
    (place / "klemheist.toml").write_text('[devices]\nbench = "sim:"\n')

    assert main(["--device", "bench", "eval", "1", "+", "devices"]) == OK

    shown = capsys.readouterr().out
    assert shown.startswith("1\n")
    assert "bench" in shown
    assert "microbit:" in shown


def test_a_wrong_configuration_is_wrong_usage(capsys, place):
    (place / "klemheist.toml").write_text("[session]\nx = 1\n")

    assert main(["eval", "1"]) == USAGE
    assert "session.x" in capsys.readouterr().err


def test_info_says_what_the_board_is(capsys):
    assert main(["info"]) == OK
    assert "webassembly" in capsys.readouterr().out


def test_the_repl_runs_lines_and_survives_errors(capsys, monkeypatch):
    typed = (
        "x = 5\ndef f():\n  return x\n\nf()\nobject\n1/0\nprint(x)\n(\nx =\n\x1d\nprint('never')\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(typed.replace("(\nx =\n", "x =\n")))

    assert main(["repl"]) == OK

    shown = capsys.readouterr().out
    assert ">>> ... ... " in shown
    for told in ("5\n", "<class 'object'>", "ZeroDivisionError", "never"):
        assert (told in shown) is (told != "never")


def test_the_repl_shows_errors_in_what_was_typed_and_tells_of_a_new_boot(capsys, monkeypatch):
    typed = "x = 5\n1 / 0\n\udcff\nimport machine; machine.reset()\nx\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    assert main(["repl"]) == OK

    shown = capsys.readouterr().out
    assert 'File "<stdin>", line 1, in <module>\n    1 / 0\n' in shown
    assert "lambda" not in shown
    assert "surrogates not allowed" in shown
    assert shown.count("the device booted anew: names from before are gone") == 1


@pytest.mark.parametrize("board", ["sim:", "microbit:"])
def test_the_demo_ends_with_a_clean_proof(capsys, board):
    assert main(["--device", board, "demo", "--json"]) == OK

    told = json.loads(capsys.readouterr().out)
    assert told["clean"] is True
    assert told["seconds"]["first call after the kill"] > 0
    assert any("LinkLost, it may have run" in line for line in told["story"])
    assert any("started again by itself" in line for line in told["story"])


def test_the_demo_draws_the_tree_as_it_changes(capsys):
    assert main(["demo", "--tree"]) == OK

    shown = capsys.readouterr().out
    assert shown.count("root") > 1
    assert "threads" in shown


def test_a_progress_bar_is_for_terminals_and_long_transfers(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "_rich_bar", lambda name: None)
    with progress.Bar("x.bin") as bar:
        bar(1, 2)
    assert capsys.readouterr().err == ""

    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.Bar("x.bin") as bar:
        bar(1, 2)
    assert "x.bin 50 %" in capsys.readouterr().err


def test_what_an_error_of_the_library_advises_is_said_in_the_words_of_the_command(capsys):
    assert main(["exec", "--timeout", "0.3", "import time\ntime.sleep(20)"]) == FAILED
    assert "give a longer --timeout, or call_timeout in klemheist.toml" in capsys.readouterr().err


def test_code_that_exits_shows_no_boot_and_says_what_happened(capsys):
    assert main(["exec", "print('last'); import sys; sys.exit(3)"]) == FAILED
    shown = capsys.readouterr()
    assert shown.out == "last\n"
    assert "the code ended with SystemExit or a reset: sim: booted anew" in shown.err


def test_words_of_a_boot_that_code_prints_are_its_output(capsys):
    assert main(["exec", "print('MPY: soft reboot')"]) == OK
    assert capsys.readouterr().out == "MPY: soft reboot\n"
    assert main(["exec", "print('MPY: soft reboot'); 1 / 0"]) == FAILED
    assert capsys.readouterr().out == "MPY: soft reboot\n"


def test_files_that_do_not_stay_are_told_and_those_that_do_are_not(capsys, place, monkeypatch):
    monkeypatch.setenv("KLEMHEIST_HOME", str(place / "home"))
    (place / "main.py").write_text("1")
    (place / "app").mkdir()
    for argv in (["cp", "main.py", ":main.py"], ["sync", "app", ":app"]):
        assert main(argv) == OK
        assert "sim:NAME, to keep them" in capsys.readouterr().err
        assert main([*argv[:1], "--device", "sim:hint", *argv[1:]]) == OK
        assert capsys.readouterr().err == ""


def test_a_device_that_is_misspelt_is_told_with_the_names_there_are(capsys, place):
    (place / "klemheist.toml").write_text('[devices]\npico = "sim:"\nbench = "sim:b"\n')
    assert main(["exec", "--device", "picco", "1"]) == FAILED
    assert "or a name from klemheist.toml: pico, bench" in capsys.readouterr().err


def test_a_broken_configuration_is_told_with_what_to_do(capsys, place):
    (place / "klemheist.toml").write_text("[devices\n")
    assert main(["exec", "1"]) == USAGE
    assert capsys.readouterr().err.strip().endswith("; correct it, or move the file away")


@pytest.mark.parametrize("argv", [["exec", "1"], ["demo"], ["demo", "--json"]], ids=" ".join)
def test_the_first_fetch_is_told_and_npm_s_reason_too(capsys, place, monkeypatch, argv):
    monkeypatch.setenv("KLEMHEIST_CACHE", str(place / "cache"))
    monkeypatch.setenv("npm_config_cache", str(place / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert main(argv) == FAILED
    said = capsys.readouterr().err
    assert said.count("fetching MicroPython") == 1
    assert "(221 KB)" in said
    assert "ECONNREFUSED 127.0.0.1:9" in said
