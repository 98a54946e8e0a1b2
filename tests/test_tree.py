"""Metadata by attribute and by key: what resolves, what is refused, and that nothing in it changes."""

import copy
import pickle

import numpy as np
import pytest

from pixeltruth.tree import Tree


@pytest.fixture
def tree():
    return Tree(
        {
            "human": {
                "head": {"nose": np.array([1, 2, 3]), "eye": {"left": {"lid": 1}, "right": {"lid": 2}}},
                "hand": {"left": "l", "right": "r"},
            },
            "box.001": {"size": 4},
            "lights": [{"name": "a"}, {"name": "b"}],
            "none": None,
        }
    )


def test_children_by_attribute_and_by_key(tree):
    assert tree.human is tree["human"]
    assert tree.human.head.eye.left.lid == 1
    assert tree["human"]["head"]["eye"]["right"]["lid"] == 2
    assert tree.none is None
    assert tree.lights[1].name == "b"


def test_a_path_goes_down(tree):
    assert tree["human.head.eye.left.lid"] == 1
    assert tree.human["head.eye"] is tree.human.head.eye
    assert tree["box.001"].size == 4
    assert tree["box.001.size"] == 4


def test_a_name_that_occurs_once_resolves_from_above(tree):
    assert tree.nose.tolist() == [1, 2, 3]
    assert tree["eye"] is tree.human.head.eye
    assert tree["eye.left"] is tree.human.head.eye.left
    assert tree.size == 4


def test_a_child_wins_over_a_deeper_namesake():
    tree = Tree({"left": 1, "hand": {"left": 2}})
    assert tree.left == 1
    assert tree.hand.left == 2


@pytest.mark.parametrize("name", ["left", "lid"])
def test_an_ambiguous_name_is_an_error_that_lists_the_paths(tree, name):
    with pytest.raises(AttributeError, match="ambiguous") as error:
        getattr(tree, name)
    for path in ("human.head.eye.left", "human.head.eye.right.lid") if name == "lid" else ("human.hand.left",):
        assert path in str(error.value)
    with pytest.raises(KeyError, match="ambiguous"):
        tree[name]


def test_two_ways_to_read_a_path_are_ambiguous():
    tree = Tree({"a": {"b.c": 1}, "a.b": {"c": 2}})
    with pytest.raises(KeyError, match="ambiguous"):
        tree["a.b.c"]


def test_an_absent_name_is_an_error_that_lists_what_is_there(tree):
    with pytest.raises(AttributeError, match=r"no 'mouth'; there is head, hand"):
        _ = tree.human.mouth
    with pytest.raises(KeyError, match=r"no 'human.head.foot'; there is nose, eye"):
        tree["human.head.foot"]
    with pytest.raises(KeyError, match="names are texts"):
        tree[0]
    with pytest.raises(AttributeError, match="there is nothing"):
        _ = Tree({}).anything


def test_a_long_list_of_names_is_cut():
    tree = Tree({f"name_{index}": index for index in range(40)})
    with pytest.raises(KeyError, match="and 28 more"):
        tree["other"]


def test_it_is_a_mapping_of_its_children(tree):
    assert list(tree) == ["human", "box.001", "lights", "none"]
    assert len(tree) == 4
    assert "human" in tree
    assert "nose" not in tree
    assert dict(tree)["none"] is None
    assert tree.get("mouth", 7) == 7
    assert tree.get("nose").tolist() == [1, 2, 3]
    assert [name for name, _ in tree.human.items()] == ["head", "hand"]


def test_completion_offers_the_children(tree):
    assert dir(tree) == ["human", "lights", "none"]
    assert dir(tree.human.head) == ["eye", "nose"]


def test_leaves_are_listed_with_their_paths(tree):
    assert [path for path, _ in tree.human.leaves()] == [
        "head.nose", "head.eye.left.lid", "head.eye.right.lid", "hand.left", "hand.right",
    ]  # fmt: skip


def test_nothing_in_it_can_be_changed(tree):
    with pytest.raises(AttributeError, match="cannot be changed"):
        tree.human = 1
    with pytest.raises(AttributeError, match="cannot be changed"):
        del tree.human
    with pytest.raises(TypeError):
        tree["human"] = 1
    with pytest.raises(ValueError, match="read-only"):
        tree.nose[0] = 9
    assert isinstance(tree.lights, tuple)


def test_an_array_of_the_caller_stays_the_callers():
    array = np.zeros(2)
    tree = Tree({"a": array})
    array[0] = 1
    assert array.flags.writeable
    assert not tree.a.flags.writeable


def test_equality_is_of_names_and_values(tree):
    again = Tree({name: tree[name] for name in tree})
    assert tree == again
    assert tree != Tree({**tree, "none": 0})
    assert tree != Tree({**tree, "more": None})
    assert tree != {"human": 1}
    assert Tree({"a": np.array([1, 2])}) != Tree({"a": np.array([1.0, 2.0])})
    assert Tree({"a": np.array([1.0, np.nan])}) == Tree({"a": np.array([1.0, np.nan])})
    assert Tree({"a": np.array([1.0, 2.0])}) != Tree({"a": np.array([1.0, 3.0])})
    assert Tree({"a": np.array([1])}) != Tree({"a": 1})
    assert Tree({"a": 1}) != Tree({"a": True})
    assert Tree({"a": ("x", "y")}) != Tree({"a": ("x",)})
    assert Tree({"a": 1, "b": 2}) == Tree({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda tree: pickle.loads(pickle.dumps(tree))], ids=["copy", "deep", "pickle"]
)
def test_copies_are_equal_and_as_fixed(tree, again):
    other = again(tree)
    assert other == tree
    assert other.nose.tolist() == [1, 2, 3]
    assert not other.nose.flags.writeable


def test_it_prints_every_name_and_small_values(tree):
    text = repr(Tree({**tree, "map": np.zeros((3, 4))}))
    assert text.splitlines()[:6] == [
        "Tree:", "  human", "    head", "      nose: [1, 2, 3]", "      eye", "        left",
    ]  # fmt: skip
    assert "  lights[1]" in text
    assert "    name: 'b'" in text
    assert "  map: float64 array 3 x 4" in text
    assert "  none: None" in text


def test_names_that_a_mapping_has_itself_are_reached_by_key():
    tree = Tree({"items": 1, "keys": 2})
    assert (tree["items"], tree["keys"]) == (1, 2)


def test_it_has_no_hash(tree):
    with pytest.raises(TypeError, match="unhashable"):
        hash(tree)
