"""The instance rule as pure functions: who owns a surface, what its id is, what its keys are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import SceneError
from pixeltruth.identity import (
    Instance,
    Node,
    assign_ids,
    is_number,
    key_order,
    numeric_keys,
    owner_of,
    require_complete,
    values_of,
)

LARGEST = 2**32 - 1

names = st.text("abc.01", min_size=1, max_size=4)
numbers = st.integers(0, 12)
paths = st.one_of(st.just(()), st.tuples(names, numbers), st.tuples(names, numbers, numbers))
properties = st.fixed_dictionaries(
    {}, optional={"instance_id": st.integers(1, 12), "category_id": st.integers(-3, 3), "other": st.booleans()}
)
# As tuples: what checks types in these tests draws random numbers, which a strategy may not
drawn = st.tuples(names, paths, properties)


def key_of(drawn):
    name, path, _ = drawn
    return (*path, name)


owners = st.lists(drawn, max_size=30, unique_by=key_of)


def built(drawn):
    return [Node(*node) for node in drawn]


@given(st.lists(drawn, min_size=1, max_size=6))
def test_the_nearest_tagged_object_owns_a_surface(chain):
    tagged = [i for i, (_, _, properties) in enumerate(chain) if {"instance_id", "category_id"} & set(properties)]
    assert owner_of(built(chain)) == (tagged[0] if tagged else 0)


@given(owners, st.randoms())
def test_ids_do_not_depend_on_order_or_repetition(drawn, random):
    owners = built(drawn)
    ids = assign_ids(owners)
    shuffled = [*owners, *owners[:3]]
    random.shuffle(shuffled)
    assert assign_ids(shuffled) == ids
    assert set(ids) == {node.key for node in owners}


@given(owners)
def test_ids_are_what_an_object_says_or_the_smallest_numbers_nobody_says(drawn):
    owners = built(drawn)
    ids = assign_ids(owners)
    said = {node.key: node.properties["instance_id"] for node in owners if "instance_id" in node.properties}
    assert {key: ids[key] for key in said} == said
    others = sorted(id_ for key, id_ in ids.items() if key not in said)
    free = (number for number in range(1, 100) if number not in said.values())
    assert others == [next(free) for _ in others]
    keys = sorted((key for key in ids if key not in said), key=key_order)
    assert [ids[key] for key in keys] == others, "in the order of the keys"


def test_ids_up_to_the_largest():
    two = [Node("a", properties={"instance_id": LARGEST}), Node("b", properties={"instance_id": 1}), Node("c")]
    assert assign_ids(two) == {("a",): LARGEST, ("b",): 1, ("c",): 2}
    assert assign_ids([]) == {}


@pytest.mark.parametrize("value", [0, -1, 2**32, 1.0, True, "3", None, [3]])
def test_wrong_instance_id_names_the_object(value):
    with pytest.raises(SceneError, match=r"^object 'Cup\.001': instance_id is .*; .* integer from 1 to 4294967295$"):
        assign_ids([Node("Cup.001", properties={"instance_id": value})])


def test_numbers_in_keys_sort_as_numbers_and_before_text():
    keys = [("a", 10, "x"), ("a", 9, "x"), ("a", "x"), ("a",), ("b",), ("a", 9, 1, "x"), ("a", "10")]
    assert sorted(keys, key=key_order) == [
        ("a",), ("a", 9, 1, "x"), ("a", 9, "x"), ("a", 10, "x"), ("a", "10"), ("a", "x"), ("b",),
    ]  # fmt: skip


def test_copies_of_one_object_are_told_apart():
    copies = [Node("leaf", ("tree", number, 0)) for number in (11, 2, 0)]
    assert assign_ids([*copies, Node("leaf")]) == {
        ("leaf",): 1, ("tree", 0, 0, "leaf"): 2, ("tree", 2, 0, "leaf"): 3, ("tree", 11, 0, "leaf"): 4,
    }  # fmt: skip


CHAIN = (
    Node("cup", properties={"category_id": 2}, attributes={"location": [0, 0, 1], "name": "cup"}),
    Node("table", properties={"category_id": 1, "color": "red"}, attributes={"location": [9, 9, 9], "name": "table"}),
    Node("room", properties={"color": "blue", "floor": 3}),
)


def test_values_come_from_the_nearest_property_then_the_owners_attribute_then_the_default():
    keys = ["category_id", "color", "floor", "location", "name", "weight"]
    assert values_of(CHAIN, keys, {"weight": 0.5, "color": "default", "location": None}) == (
        {"category_id": 2, "color": "red", "floor": 3, "location": [0, 0, 1], "name": "cup", "weight": 0.5}, [],
    )  # fmt: skip


def test_a_property_hides_an_attribute_of_its_name_and_falsy_values_count():
    chain = (Node("a", properties={"location": 0, "flag": False}, attributes={"location": [1, 2, 3], "parent": None}),)
    values, missing = values_of(chain, ["location", "flag", "parent"], {"flag": True, "parent": "x"})
    assert values == {"location": 0, "flag": False, "parent": None}
    assert missing == []


def test_keys_keep_their_case_and_what_is_missing_is_told():
    assert values_of(CHAIN, ["Color", "weight", "floor"], {}) == ({"floor": 3}, ["Color", "weight"])


def test_missing_values_name_key_and_objects():
    require_complete({})
    require_complete({"kind": []})
    with pytest.raises(SceneError) as caught:
        require_complete({"kind": [], "weight": ["c", "a", "c", "b"]})
    assert str(caught.value) == (
        "no 'weight' on 'a', 'b', 'c'; set the custom property, label them, or pass --default weight=VALUE"
    )
    with pytest.raises(SceneError, match=r"^no 'k' on '0', '1', '2', '3', '4' and 3 more; "):
        require_complete({"k": [*"76543210", "0"]})


def instance(name="cup", **values):
    return Instance(1, name, (name,), values, ())


def test_a_key_is_a_map_where_every_instance_has_a_number():
    assert [is_number(value) for value in (1, 0.5, True, "1", None, [1])] == [True, True, True, False, False, False]
    instances = [
        instance(a=1, b=1.5, c=True, d="x", e=[1], f=1, g=None),
        instance(a=2**40, b=-1, c=False, d="y", e=[2], f="x", g=1),
    ]
    assert numeric_keys("abcdefg", instances) == ["a", "b", "c"]
    numbered = Instance(1, "cup", ("cup",), {"name": 3, "b": 1}, ())
    assert numeric_keys(["name", "b"], [numbered]) == ["b"], "a name stays text"


@pytest.mark.parametrize("value", ["cup", "3", 1.0, 1.5, True, None, [1]])
def test_a_category_that_is_no_integer_names_the_object(value):
    good = instance(category_id=3)
    with pytest.raises(SceneError, match=r"^object 'Mug': category_id is .*; it must be an integer \(keep text under"):
        numeric_keys(["category_id"], [good, instance("Mug", category_id=value)])
    assert numeric_keys(["category_id"], [good]) == ["category_id"]
