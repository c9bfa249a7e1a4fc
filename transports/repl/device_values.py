"""The device's halves of `values.py`: sources that become part of the agent (`agent.py`)."""

from __future__ import annotations

from typing import Final

LITERALS_SOURCE: Final = "L=int,str,bool,bytes,type(None)"
"""`L`, the types whose `repr` is a literal."""

DECODER_SOURCE: Final = """\
try:
 import ustruct as struct
except ImportError:
 import struct
W=("<f","<I","f(0x%x)","c(%s,%s)")if 1+1e-9==1 else("<d","<Q","F(0x%x)","C(%s,%s)")
def F(b):
 return struct.unpack(W[0],struct.pack(W[1],b))[0]
def C(r,i):
 return complex(F(r),F(i))
"""
"""What arguments need on the device: `F` and `C`, over `W`, the formats of this port's floats.

Numbers that differ only beyond a single's digits tell the width. `C` fails where there is no
complex, which is what the device itself says about it.
"""

ENCODER_SOURCE: Final = """\
class T(Exception):pass
try:
 R=ascii
except NameError:
 R=repr
try:
 Z=complex
except NameError:
 Z=0
K={list:("[","],"),tuple:("(","),"),set:("set([","]),"),dict:("dict([","]),")}
def w(x):
 if type(x)is Z:return W[3]%(w(x.real)[2:-1],w(x.imag)[2:-1])
 return W[2]%struct.unpack(W[1],struct.pack(W[0],x))[0]
def g(v,o):
 s=[iter((v,))];c=[""]
 while s:
  for x in s[-1]:
   t=type(x)
   if t in L:
    if o:o.append(R(x)+",")
   elif t in K:
    if len(s)>50:raise T("%s over 50 deep"%str(t)[8:-2])
    if o:o.append(K[t][0])
    c.append(K[t][1]);s.append(iter(x.items()if t is dict else x));break
   elif t is float or t is Z:
    if not o:return 1
    o.append(w(x)+",")
   else:raise T(str(t)[8:-2])
  else:
   s.pop();x=c.pop()
   if o:o.append(x)
def r(v):
 if type(v)in L or not g(v,0):return R(v)
 o=[""];g(v,o)
 return"".join(o)[:-1]
"""
"""`r(v)`: the wire text of a result, or `T(type name)` where no literal says it.

It comes after the two others. A value without floats is only walked and then written in one go by
`repr` (`ascii` where that differs): the pieces of a joined text would not fit a heap of 9 KB. At
the first float the walk starts again, gathering pieces; sets and dicts are then written as calls
with a list, so that one loop serves all four containers. There is a loop and no recursion, since
the stack of such a board ends at three nested calls.
"""
