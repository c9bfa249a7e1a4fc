"""Bursts: calls in quick succession, made by a loop on the device instead of the raw REPL.

While a burst lasts, the agent's loop `BU` waits for lines. Nothing is compiled for a call of one
integer, and neither line nor answer carries more than their check:

    mb6u                        the line: a number in base 36, and a newline
    byte 30, 1e8552, byte 30    the answer: a number in base 16

Both numbers are `value * PRIME + proof`, the value being the argument or what was returned. So one
division parses and verifies. The proof of a line is made of the count of calls and the entry: it is
new for every call, and tells the device what to call. The answer repeats it; False, True and None
are 0, 1 and 2 behind a `B`, with `PRIME - proof`. Other arguments are a tuple in front of their
number, which then covers a checksum of it too:

    (1,'x')#9k2r

and other answers are frames of the usual form (`frames.py`). A line that does not fit ends the
burst without a call: so does `LEAVE`. An exception or Ctrl-C ends it as it ends any command. What
has become of a call is then asked of the agent, as ever (DESIGN 3.5).
"""

from __future__ import annotations

from typing import Final

from .frames import COUNTS, PRIME, STRIDE, arguments_of, checksum

SPREAD: Final = 1072
"""Entries lie so far apart in the proofs that no wrong digit makes another entry of one.

With it the device's products still are small integers, of 30 bits; and for each digit in each place
its change is further than `MOST_ENTRIES` from every multiple of the prime.
"""
_BACK: Final = pow(SPREAD, -1, PRIME)
MOST_ENTRIES: Final = 1000
"""Entries of the function table from here on are called by the raw REPL alone."""
LAST_COUNT: Final = COUNTS - 1
"""The call with this count is none of a burst: the loop on the device cannot begin anew with 0."""

ROOM: Final = 2000
"""Free bytes of a small heap below which it is collected before a tuple is parsed."""

ENTER: Final = b"_k(-1,'BU')()"
"""The raw command that begins a burst; the line of the first call may follow it at once."""
LEAVE: Final = b"\n"
"""What ends a burst; a board that is at its raw prompt takes no notice of it."""

READER: Final = """\
BA=0
try:
 import sys
 BL=getattr(sys.stdin,'buffer',sys.stdin).readline
except AttributeError:
 import micropython
 from microbit import uart as u
 BA=u.any
 BR=u.readline"""
"""What reads a line: BL. A micro:bit has no such stream, and its reading does not wait: there BA
says whether there is something to read, and `HALT` has BL."""
HALT: Final = """\
@micropython.asm_thumb
def BD():data(2,46706)
@micropython.asm_thumb
def BW(r0):
 cmp(r0,0)
 bne(X)
 data(2,48944)
 label(X)
 data(2,46690)
def BL():
 l=b''
 while l[-1:]!=b'\\n':BD();BW(BA());l+=BR()or b''
 return l"""
"""What waits where reading does not. BD masks interrupts (CPSID), so that none is missed between
the look for input and BW: if there was none that halts the processor until an interrupt is pending
(WFI), then lets it in (CPSIE). A loop without it needs all of a core: under emulation the very one
that is to bring the line."""
LOOP: Final = (
    # c: what is called just now.
    f"""\
def BU():
 global Q,M,D,A
 c=0
 try:
  for s in range(Q,{COUNTS}):
   l=BL()
   if l[0]==40:x,r,c=BG(l,s)
   else:
    x,r=divmod(int(l,36),{PRIME})
    x=x,
    c=G.get((r-s*{STRIDE}%{PRIME})*{SPREAD}%{PRIME})
   if not c:return
   D=63;A=0;Q=s+1;M=~r
   if l[0]==40:
    if z and z()<{ROOM}:gc.collect()
    x=eval(x)
   v=A=c(*x)
   D=61
   c=0
   if type(v)is int:print('\\x1e%x\\x1e'%(v*{PRIME}+r),end='')
   else:BC(v,r)
 except Exception as x:
  if c:BX(r,x);raise
 finally:
  if z:gc.collect()""",
    # What is not about one integer: of a line the tuple, its proof and what to call; an answer; and
    # what a call has raised.
    f"""\
def BG(l,s):
 l,r=l.split(b'#')
 r=int(r,36)
 return l,r,G.get((r-h(l)-s*{STRIDE}%{PRIME})*{SPREAD}%{PRIME})
def BC(v,r):
 if v is None or type(v)is bool:
  v=2 if v is None else v
  print('\\x1eB%x\\x1e'%(v*{PRIME}+{PRIME}-r),end='')
 else:e(r,61,v)
def BX(r,x):
 global D,A
 A=str(type(x))[8:-2],str(x);D=33;e(r,33,A)""",
)
"""The loop itself. All of these are executed in the agent's namespace, one by one: to compile a
longer one needs more room than a small heap has beside the functions of its user. The longest comes
first: it takes 740 bytes in one piece."""

DROP: Final = (
    b"_k(-1,'S')[0].update(BU=0,BG=0,BC=0,BX=0,BD=0,BW=0,BL=0)",
    b"_k(-1,'gc').collect()",
)
"""What frees the room that they take: 1,300 bytes on the smallest board. Without a number, so that
the agent goes on holding its last answer: that may be what there is no room for.
"""
LEAST_FREE: Final = 4500
"""Free bytes of a small heap below which there are no bursts: their functions would not compile, or
leave too little."""

_DIGITS: Final = tuple(b"0123456789abcdefghijklmnopqrstuvwxyz"[i : i + 1] for i in range(36))
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)


def burst_line(entry: int, plain: tuple[object, ...], count: int) -> tuple[int, bytes]:
    """Return a call's proof and its line.

    Args:
        entry: the function table's, below `MOST_ENTRIES`.
        plain: arguments for which `values.is_plain` holds.
        count: how many calls this generation has taken, below `LAST_COUNT`.
    """
    proof = (count * STRIDE + entry * _BACK) % PRIME
    if len(plain) == 1 and type(plain[0]) is int:
        return proof, _base36(plain[0] * PRIME + proof) + LEAVE
    text = b"(%s)" % arguments_of(plain)
    if len(plain) == 1:
        text = text[:-1] + b",)"
    proof = (proof + checksum(text)) % PRIME
    return proof, b"%s#%s\n" % (text, _base36(proof))


def again_line(proof: int) -> bytes:
    """Return the line that asks for the last answer once more, as a frame."""
    return b"_k(-1,'e')(%d,_k(-1,'D'),_k(-1,'A'))" % proof


def _base36(number: int) -> bytes:
    digits = b""
    rest = abs(number)
    while rest >= 1296:
        rest, pair = divmod(rest, 1296)
        digits = _PAIRS[pair] + digits
    digits = (_PAIRS[rest] if rest >= 36 else _DIGITS[rest]) + digits
    return digits if number >= 0 else b"-" + digits
