"""Logging in by prompts, pure: text of the server in, answers out; a class for each kind."""

from __future__ import annotations

import re

from klemheist.transports.errors import LinkAccessDenied, LinkBusy, LinkError

MAX_TEXT = 16 * 1024
"""Bytes before the end of a login: a message of the day, and not a program that prints for ever."""

_PASSWORD = re.compile(rb"pass(?:word|code)[^\n:]{0,40}:[ \t]*\Z", re.IGNORECASE)
_USER = re.compile(
    rb"(?:\A|\n)(?!last )[^\n]{0,60}\b(?:login(?: as)?|user ?(?:name)?)[^\n:]{0,20}:[ \t]*\Z",
    re.IGNORECASE,
)
_DENIED = re.compile(rb"denied|incorrect|invalid|fail|wrong", re.IGNORECASE)
_WELCOME = re.compile(rb"(?:[^\s][^\n]*\n|>>> ?\Z)")


class Login:
    """One login. `take` what the server says until `done`; then `rest` is the device's already."""

    example = "ws://:PASSWORD@host"

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._user, self._password = user, password
        self._text = b""
        self._answered = False
        self.done = False
        self.rest = b""

    def take(self, text: bytes) -> bytes:
        """Take text; return the answer, often none.

        Raises:
            LinkAccessDenied: the server does not take the login, or the URL has none.
            LinkError: this is no login.
        """
        self._text += text
        answer = self._answer()
        if len(self._text) > MAX_TEXT:
            raise LinkError(f"{self.url} says much, but asks for no login; check host and port")
        return answer

    def hung_up(self, why: str = "") -> LinkError:
        """Return the error for a stream that ends before the login does."""
        why = why or "its server hung up"
        return LinkError(f"{self.url}: {why} during the login; check what serves there, try again")

    def _answer(self) -> bytes:
        raise NotImplementedError

    def _finish(self, rest: bytes) -> None:
        self.done, self.rest = True, rest

    def _give_password(self, ending: bytes) -> bytes:
        if not self._password:
            raise LinkAccessDenied(f"{self.url} asks for a password; write {self.example}")
        if self._answered:
            raise self._denied()
        self._text, self._answered = b"", True
        return self._password.encode() + ending

    def _denied(self) -> LinkAccessDenied:
        return LinkAccessDenied(f"{self.url} refuses the login; correct it, as {self.example}")


class WebReplLogin(Login):
    """MicroPython's WebREPL: a password, then a line that says it is the right one."""

    _welcome = b"WebREPL connected"

    def hung_up(self, why: str = "") -> LinkError:
        """Return the error: before its prompt, WebREPL hangs up where it has a client already."""
        if why or self._answered or self._text:
            return super().hung_up(why)
        return LinkBusy(f"{self.url} serves another client; WebREPL has one at a time: close that")

    def _answer(self) -> bytes:
        if not self._answered:
            return self._give_password(b"\r") if _PASSWORD.search(self._text) else b""
        if b"Access denied" in self._text:
            raise self._denied()
        _, found, rest = self._text.partition(self._welcome)
        if found:
            self._finish(rest)
        return b""


class TelnetLogin(Login):
    """A user and a password, or one of the two, in the words of many servers."""

    example = "telnet://USER:PASSWORD@host"

    def __init__(self, url: str, user: str, password: str) -> None:
        super().__init__(url, user, password)
        self._named = False

    def _answer(self) -> bytes:
        if _PASSWORD.search(self._text):
            return self._give_password(b"\r\n")
        if _USER.search(self._text):
            return self._give_user()
        if self._answered and _DENIED.search(self._text):
            raise self._denied()
        if (self._answered and _WELCOME.search(self._text)) or self._text.endswith(b">>> "):
            self._finish(self._text)
        return b""

    def _give_user(self) -> bytes:
        if self._named:
            raise self._denied()
        if not self._user:
            raise LinkAccessDenied(f"{self.url} asks for a user; write {self.example}")
        self._text, self._named = b"", True
        self._answered = not self._password
        return self._user.encode() + b"\r\n"


def asks(text: bytes) -> bool:
    """Whether a server that says this asks for a login."""
    return bool(_PASSWORD.search(text) or _USER.search(text))
