"""Belay's own tests of proxies, anew for our surface, one to one.

Two things are other here. A proxy never deletes a name of the user's: it lets go of its own hold.
And what a literal can say comes back as a value, lists and dicts too; `s.proxy("name")` and a
proxy's items are how to go on with the object itself.
"""

from __future__ import annotations

import gc

import pytest

from klemheist import DeviceError, Proxy

KLASS = """
class Klass:
    foo = 1
    bar = 2
    some_dict = {"a": 1, "b": 2, "c": 3}
    def some_method(self, value):
        return 2 * value
klass = Klass()
"""


@pytest.fixture
def klass(s):
    s(KLASS)
    return s.proxy("klass")


def test_basic(klass, s):
    assert (klass.foo, klass.bar, klass.some_method(3)) == (1, 2, 6)
    klass.foo = 4
    assert klass.foo == s("klass.foo") == 4
    klass.baz = 100
    assert klass.baz == s("klass.baz") == 100
    with pytest.raises(AttributeError):
        klass.non_existant_attribute


def test_dir(s):
    s(KLASS)
    assert {"bar", "foo", "some_method", "some_dict"} <= set(s("dir(klass)"))


def test_dict_keys_and_values(s):
    s(KLASS)
    some = s.proxy("klass.some_dict")
    assert set(some.keys()) == {"a", "b", "c"}
    assert set(some.values()) == {1, 2, 3}


def test_getitem_setitem_and_length(klass, s):
    s("klass.demo_list = [1, 2, 3]")
    assert klass.demo_list == [1, 2, 3]
    demo = s.proxy("klass.demo_list")
    assert (demo[1], demo[-1], demo[:2], len(demo)) == (2, 3, [1, 2], 3)
    demo[1] = 99
    assert demo[1] == 99
    assert s("klass.demo_list") == [1, 99, 3]
    with pytest.raises(IndexError):
        demo[100]


def test_immutable_ergonomics(klass):
    assert type(klass.foo) is int
    assert klass.foo + 10 == 11
    assert klass.bar * 5 == 10


def test_lifecycle_a_name_of_the_user_stays(s):
    s("test_var = [1, 2, 3]")
    proxy = s.proxy("test_var")
    assert proxy == [1, 2, 3]
    del proxy
    gc.collect()
    assert s("test_var") == [1, 2, 3]


def test_modules(s):
    s("import sys\nfrom math import sin, pi")
    assert s.proxy("sys").platform == "webassembly"
    assert s.proxy("sin")(0) == 0
    assert abs(s("pi") - 3.14159) < 0.001
    assert s("'sys' in globals()")


def test_setitem(s):
    s("my_list = [10, 20, 30]\nmy_dict = {'a': 1, 'b': 2}")
    s.proxy("my_list")[0] = 100
    s.proxy("my_dict")["a"] = 999
    assert s("my_list") == [100, 20, 30]
    assert s("my_dict") == {"a": 999, "b": 2}


def test_contains(s):
    numbers, letters = s.proxy("[1, 2, 3, 4, 5]"), s.proxy("{'x': 10, 'y': 20}")
    assert 3 in numbers
    assert 10 not in numbers
    assert "x" in letters
    assert "z" not in letters


def test_iter(s):
    numbers = s.proxy("[10, 20, 30]")
    assert list(iter(numbers)) == [10, 20, 30]
    assert [each for each in numbers] == [10, 20, 30]  # noqa: C416 -- asked for


def test_hash(s):
    assert hash(s.proxy("(1, 2, 3)")) == hash(s("hash((1, 2, 3))"))
    assert hash(s.proxy("'hello'")) == hash(s("hash('hello')"))


def test_comparison_operators(s):
    five, ten = s.proxy("5"), s.proxy("10")
    one, other = s.proxy("[1, 2, 3]"), s.proxy("[1, 2, 3]")
    assert five == 5
    assert one == [1, 2, 3]
    assert one == other
    assert five != 10
    assert five != ten
    assert five < 10
    assert five < ten
    assert five <= 5
    assert five <= ten
    assert ten > 5
    assert ten > five
    assert ten >= 10
    assert ten >= five


def test_str_and_repr(s):
    value, numbers = s.proxy("42"), s.proxy("[1, 2, 3]")
    assert str(value) == "42"
    assert str(numbers) == "[1, 2, 3]"
    assert repr(value).startswith("<proxy int of session")
    assert repr(numbers).startswith("<proxy list of session")


def test_call_with_proxy_args(s):
    s("class Container:\n def __init__(self): self.items = []")
    s("def add(self, item):\n self.items.append(item)\n return len(self.items)")
    s("Container.add = add\ncontainer = Container()\nitem1 = [1, 2, 3]\nitem2 = {'key': 'value'}")
    container = s.proxy("container")
    assert container.add(s.proxy("item1")) == 1
    assert container.add(item=s.proxy("item2")) == 2
    assert s("container.items") == [[1, 2, 3], {"key": "value"}]
    assert s("container.items[0] is item1")


def test_slicing(s):
    numbers, here = s.proxy("list(range(10))"), list(range(10))
    for each in (
        slice(2, 5),
        slice(3),
        slice(7, None),
        slice(None, None, 2),
        slice(1, None, 2),
        slice(2, 8, 2),
        slice(-3, None),
        slice(None, -3),
        slice(-5, -2),
    ):
        assert numbers[each] == here[each]


def test_nested_objects(s):
    s("nested = {'list': [1, 2, [3, 4]], 'thing': object()}")
    nested = s.proxy("nested")
    assert nested["list"] == [1, 2, [3, 4]]
    assert isinstance(nested["thing"], Proxy)
    inner = s.proxy("nested['list']")
    inner[2] = [5]
    assert s("nested['list']") == [1, 2, [5]]


@pytest.mark.parametrize(
    ("code", "use", "error"),
    [
        ("{'a': 1}", lambda it: it.nonexistent_attribute, AttributeError),
        ("{'a': 1}", lambda it: it["nonexistent_key"], KeyError),
        ("[1, 2, 3]", lambda it: it[100], IndexError),
        ("42", lambda it: it(), TypeError),
    ],
    ids=["attribute", "key", "index", "type"],
)
def test_error_promotion(s, code, use, error):
    proxy = s.proxy(code)
    with pytest.raises(error) as failed:
        use(proxy)
    assert isinstance(failed.value, DeviceError)


def test_value_of_a_proxy(s):
    assert s.proxy("[1, 2, 3]").value_() == [1, 2, 3]


def test_setattr_with_proxy_value(klass, s):
    s("config = {'setting': 42, 'enabled': True}")
    klass.config = s.proxy("config")
    assert s("klass.config is config")
    assert klass.config == {"setting": 42, "enabled": True}


def test_setitem_with_proxy_value(s):
    s("my_list = [None] * 3\nobj = {'value': 1}")
    s.proxy("my_list")[0] = s.proxy("obj")
    assert s("my_list[0] is obj")
