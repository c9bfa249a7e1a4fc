"""What is sent to a device for its files, and the host's half of it; pure.

A *kit* is a handful of functions in the agent's namespace, sent once a boot and on first need. It
is for devices with directories, `os.rename` and files that can seek; smaller ones have their own,
in `files_remote.py`.

An *order* is one tuple of a batch: `(part, offset, size, target)` writes `size` bytes of the
batch's data at `offset` of the file `part`, reads them back, and renames it to `target` if that is
given.
Negative sizes are other acts. All orders of a batch are carried out in one call, and carrying them
out again changes nothing more: a batch may be sent again. (The last piece of a file that has its
name already is looked for there.)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

PRIME: Final = 2**61 - 1
"""A checksum has 61 bits: it stands for a file's contents in the manifest."""
STREAM_BLOCK: Final = 122880
"""Bytes that one streamed call carries."""
_HEADS: Final = 4096
"""Bytes of orders for which there is room beside them."""
MIX: Final = 65599
BLOCK: Final = 256
"""Bytes that a checksum takes at once: larger ones leave larger holes in the device's memory."""
WINDOW_BITS: Final = 10
"""Of what is compressed: the device needs 1 KB to undo it."""

REMOVE: Final = -1
MAKE_DIRECTORY: Final = -2
REMOVE_DIRECTORY: Final = -3
"""What an order's size says where it is no size."""

DIRECTORY_SIZE: Final = -1
"""What a listing says for the size of a directory."""
UNKNOWN_SIZE: Final = -2
"""The same of a name that the device lists and can tell nothing of, such as a dangling link."""

SOURCE: Final = f"""\
import os,sys
YF={{}}
def YV(p,n):
 x=y=k=0
 with open(p,'rb')as f:
  while k<n:
   b=f.read(min({BLOCK},n-k))
   if not b:break
   k+=len(b);x+=int.from_bytes(b,'little');y+=x
 return k,(x*{MIX}+y)%{PRIME}
def YO(p,n):
 try:
  if n=={REMOVE}:os.remove(p)
  elif n=={MAKE_DIRECTORY}:os.mkdir(p)
  else:os.rmdir(p)
 except OSError:
  try:
   if(os.stat(p)[0]&0x4000>0)==(n=={MAKE_DIRECTORY}):return
  except OSError:
   if n!={MAKE_DIRECTORY}:return
  raise
def YM(h,b,w=0):
 k=0;r=[];b=memoryview(b)
 for p,o,n,t in eval(h):
  YF[-1]=t or p
  if n<0:
   YO(p,n);continue
  d=b[k:k+n];k+=n
  try:f=open(p,'r+b'if o else'wb')
  except OSError:
   if not(o and t):raise
   p=t;f=0
  if f:
   with f:
    if o:f.seek(o)
    m=f.write(d)if n else 0
   if m is not None and m<n:raise OSError('ENOSPC')
  with open(p,'rb')as f:
   f.seek(o);v=w or memoryview(bytearray(n or 1))
   for j in range(0,n,len(v)):
    c=v[:n-j];m=len(c)
    if f.readinto(c)<m or d[j:j+m]!=c:raise OSError('it keeps other bytes; write it again')
  if t:
   if p!=t:os.rename(p,t)
   r.append(os.stat(t)[8])
 return r
def YA(p):
 try:
  v=os.statvfs(p);return v[1]*v[3]
 except(OSError,AttributeError):return-1
def YD(p):
 try:t=os.stat(p);return t[6],t[0]&0xf000==0x4000,t[8]
 except OSError:return {UNKNOWN_SIZE},False,0
def YL(p):
 r=[];s=['']
 while s:
  d=s.pop()
  for n in os.listdir(p+d or'/'):
   n=d+'/'+n;z,k,t=YD(p+n)
   if k:s.append(n);z={DIRECTORY_SIZE}
   r.append('%d,%d,%s'%(z,t,n))
 return'//'.join(r)
def YT(p):
 try:
  with open(p,'rb')as f:return f.read()
 except OSError:return b''
def YS(p,m):
 try:os.stat(p or'/')
 except OSError:return YA('/'),b'',''
 return YA(p or'/'),YT(m),YL(p)
def YP():
 try:
  from binascii import crc32;s=hasattr(sys.stdin,'buffer')
 except ImportError:s=False
 try:
  import deflate,io;d=deflate.DeflateIO is not None
 except(ImportError,AttributeError):d=False
 return s,d,getattr(sys.implementation,'_mpy',-1)
def YR(p,o,n):
 t=os.stat(p)
 if t[0]&0xf000==0x4000:raise OSError('EISDIR')
 with open(p,'rb')as f:
  f.seek(o);b=f.read(n)
 return b,t[6],t[8]
"""
"""YF: open files by number, of smaller devices; -1 is what the last batch came to. YV: length and
checksum of a file's beginning. YM: a batch; YO: an act of it. YA: free bytes. YD: what is there, as
far as can be told. YL: all names below a directory; YS: the same with the manifest, YT. YP: what
else the device can do. YR: a piece."""

STREAM_SOURCE: Final = f"""\
from binascii import crc32
def YU(z,g,h,n,c):
 R=sys.stdin.buffer;G=R.read(g);p=-1
 b=YB[:n]if n<=len(YB)else memoryview(bytearray(n))
 R.readinto(b)
 for j in G:
  p+=j-5;b[p]^=128
 if crc32(b,h)!=c:
  print(z,0);return
 print(z,YM(bytes(b[:h]),b[h:],YW))
def YG(z,p,o,n):
 W=sys.stdout.buffer.write;b=YB[:n];s=k=t=0
 try:
  t=os.stat(p)
  with open(p,'rb')as f:
   f.seek(o);k=f.readinto(b)
 finally:
  W(b);W(b)
 W(b'%d,%d,%d,%d'%(z,k,t[6],t[8]))
YB=memoryview(bytearray({STREAM_BLOCK + _HEADS}));YW=memoryview(bytearray(4096))
"""
"""What streams need where input waits until it is read: YU takes a batch from standard input, whose
check begins with the length of its orders. YG writes `n` bytes to standard output, as many of them
as there are from a file, twice: on such a link that takes less time than any checksum would. `z` is
said again, so that no other answer passes. Neither leaves garbage: a collection there takes longer
than all of a block's proof. YB: a block; YW: what is read back of it."""
EVERY_BYTE: Final = bytes(range(256))
SAY_EVERY_BYTE: Final = b"W=__import__('sys').stdout.buffer.write;W(bytes(range(256)));del W"
"""Shows a line that changes some bytes always: two copies of them would be alike."""

INFLATE_SOURCE: Final = f"""\
import deflate,io
def YI(h,b):return YM(h,deflate.DeflateIO(io.BytesIO(b),deflate.ZLIB,{WINDOW_BITS}).read())
"""

_STEP: Final = 250
_BIAS: Final = 5
_FAR: Final = bytes((_STEP + _BIAS, _BIAS))
_MARKS: Final = bytes(byte in (1, 2, 3, 4) for byte in range(256))
_GAPS: Final = bytes(min(length + 1 + _BIAS, 255) for length in range(256))
_FLIPPED: Final = bytes(byte ^ 128 if byte in (1, 2, 3, 4) else byte for byte in range(256))


class Order(NamedTuple):
    """One act of a batch; see the module."""

    part: str
    offset: int
    size: int
    target: str = ""


def checksum(data: bytes | bytearray, size: int = BLOCK) -> int:
    """Return what `YC` finds for these bytes: a sum of blocks, and a sum of the sums so far.

    Division is what costs most on a device: there is one, at the end.
    """
    total = weighted = 0
    for start in range(0, len(data), size):
        total += int.from_bytes(data[start : start + size], "little")
        weighted += total
    return (total * MIX + weighted) % PRIME


def header(orders: list[Order]) -> bytes:
    """Return a batch's orders as the device evaluates them."""
    return ascii([tuple(each) for each in orders]).encode()


def masked(data: bytes) -> tuple[bytes, bytes]:
    """Return gaps and data without the bytes 1 to 4, which drive a REPL and interrupt what runs.

    Bit 7 of such a byte is flipped. A gap byte says how far the next flipped byte is, plus 5. On a
    way too far for one gap byte, a byte is flipped and flipped back.
    """
    between = [*map(len, data.translate(_MARKS).split(b"\1"))]
    between.pop()  # what comes after the last of them
    gaps, done = b"", 0
    for at in [at for at, length in enumerate(between) if length >= _STEP]:
        far, near = divmod(between[at] + 1, _STEP)
        gaps += bytes(between[done:at]).translate(_GAPS) + _FAR * far + bytes((near + _BIAS,))
        done = at + 1
    gaps += bytes(between[done:]).translate(_GAPS)
    return gaps, data.translate(_FLIPPED)


def deflated(data: bytes) -> bytes:
    """Return data compressed, in a window that a small device can afford."""
    packer = zlib.compressobj(9, zlib.DEFLATED, WINDOW_BITS)
    return packer.compress(data) + packer.flush()


def listing(text: str) -> Iterator[tuple[str, int, int]]:
    """Return path from the root, size and time of all that `YL` has found."""
    for entry in text.split("//") if text else ():
        size, time, path = entry.split(",", 2)
        yield path.lstrip("/"), int(size), int(time)
