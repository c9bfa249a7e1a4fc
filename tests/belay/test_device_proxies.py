"""Belay's own tests of proxies, anew for our surface, one to one.

Two things are other here. A proxy never deletes a name of the user's: it lets go of its own hold.
And what a literal can say comes back as a value, lists and dicts too; `s.proxy("name")` and a
proxy's items are how to go on with the object itself.

| Belay | here |
|---|---|
| `test_proxy_object_basic` | `test_basic` |
| `test_proxy_object_dir` | `test_dir` |
| `test_proxy_object_dict_*s` | `test_dict_keys_and_values` |
| `test_proxy_object_getitem`, `test_proxy_object_len` | `test_getitem_setitem_and_length` |
| `test_proxy_object_subclassing` | `test_a_class_of_one_s_own_holds_a_proxy` |
| `test_proxy_object_immutable_ergonomics` | `test_immutable_ergonomics` |
| `test_proxy_object_lifecycle_delete_*` | `test_lifecycle_a_name_of_the_user_stays` |
| `test_proxy_object_lifecycle_import_auto_delete_false` | `test_modules` |
| `test_proxy_object_magic_method_setitem` | `test_setitem` |
| `test_proxy_object_magic_method_contains` | `test_contains` |
| `test_proxy_object_magic_method_iter` | `test_iter` |
| `test_proxy_object_magic_method_hash` | `test_hash` |
| `test_proxy_object_comparison_operators` | `test_comparison_operators` |
| `test_proxy_object_str_and_repr` | `test_str_and_repr` |
| `test_proxy_object_call_with_proxy_args` | `test_call_with_proxy_args` |
| `test_proxy_object_slicing` | `test_slicing` |
| `test_proxy_object_nested_proxy_objects` | `test_nested_objects` |
| `test_proxy_object_error_promotion_*` | `test_error_promotion` |
| `test_device_proxy_method_import_detection` | `test_an_import_is_no_expression_and_says_so` |
| `test_device_proxy_method_expression_vs_identifier` | `test_names_and_expressions_are_held_alike` |
| `test_device_call_with_proxy_argument` | `test_value_of_a_proxy` |
| `test_device_call_with_proxy_parameter` | `test_a_call_gives_values_and_proxy_gives_proxies` |
| `test_proxy_object_setattr_with_proxy_value` | `test_setattr_with_proxy_value` |
| `test_proxy_object_setitem_with_proxy_value` | `test_setitem_with_proxy_value` |
| `test_proxy_object_as_dict_key` | `test_as_dict_key` |
| `test_proxy_object_as_list_index` | `test_as_list_index` |
"""

# ruff: noqa: E501 -- a table
from __future__ import annotations

import gc

import pytest

from klemheist import ArgumentError, DeviceError, Proxy

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


def test_a_class_of_one_s_own_holds_a_proxy(klass):
    """Belay subclasses ProxyObject; what is one's own stays apart from the device's here."""

    class Custom:
        def __init__(self, proxy):
            self.proxy, self.fizz = proxy, 200

        def foo(self):
            return 100

        def __getattr__(self, name):
            return getattr(self.proxy, name)

    custom = Custom(klass)
    assert (custom.foo(), custom.fizz, custom.bar, custom.some_method(4)) == (100, 200, 2, 8)
    custom.fizz = 300
    assert vars(custom)["fizz"] == 300


def test_an_import_is_no_expression_and_says_so(s):
    """Belay's `proxy("import os")`: here the import is a statement, its name then a proxy."""
    for code in ("import os", "from math import sin", "from math import cos, pi"):
        with pytest.raises(ArgumentError, match="no expression"):
            s.proxy(code)
        s(code)
    assert isinstance(s.proxy("os"), Proxy)
    assert (s.proxy("sin")(0), s.proxy("cos")(0)) == (0, 1)


def test_names_and_expressions_are_held_alike(s):
    s("my_list = [1, 2, 3]")
    named, made = s.proxy("my_list"), s.proxy("[1, 2, 3]")
    assert isinstance(named, Proxy)
    assert isinstance(made, Proxy)
    del named, made
    gc.collect()
    assert s("my_list") == [1, 2, 3]


def test_a_call_gives_values_and_proxy_gives_proxies(s):
    s("result_value = 42\nresult_list = [1, 2, 3]")
    assert (s("result_value"), s("result_list")) == (42, [1, 2, 3])
    found = s.proxy("result_list")
    assert isinstance(found, Proxy)
    assert found == [1, 2, 3]


@pytest.mark.parametrize("url", ["sim:", "microbit:"])
def test_as_dict_key(manager, url):
    with manager.session(url) as s:
        s("my_dict = {}\nkey1 = 'first_key'\nkey2 = 'second_key'\nvalue1 = {'data': 1}")
        my_dict, one, two = s.proxy("my_dict"), s.proxy("key1"), s.proxy("key2")
        my_dict[one] = s.proxy("value1")
        my_dict[two] = "regular_value"
        assert s("my_dict['first_key'] is value1")
        assert (my_dict[one], my_dict[two]) == ({"data": 1}, "regular_value")


def test_as_list_index(s):
    s("my_list = [None] * 3\nindex0 = 0\nindex1 = 1\nvalue1 = {'item': 'first'}")
    my_list, zero, one = s.proxy("my_list"), s.proxy("index0"), s.proxy("index1")
    my_list[zero] = s.proxy("value1")
    my_list[one] = "regular_item"
    assert s("my_list[0] is value1")
    assert (my_list[zero], my_list[one]) == ({"item": "first"}, "regular_item")


def test_setattr_with_proxy_value(klass, s):
    s("config = {'setting': 42, 'enabled': True}")
    klass.config = s.proxy("config")
    assert s("klass.config is config")
    assert klass.config == {"setting": 42, "enabled": True}


def test_setitem_with_proxy_value(s):
    s("my_list = [None] * 3\nobj = {'value': 1}")
    s.proxy("my_list")[0] = s.proxy("obj")
    assert s("my_list[0] is obj")
