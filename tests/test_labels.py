"""Label files: what they give to objects, and every way they can be wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError
from pixeltruth.labels import LabelRule, apply, canonical_key, label_rules, property_value, read_labels


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "labels.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


FILE = """
[[label]]
name = "Cup*"
category_id = 3
material_kind = "china"
size = [1, 2.5]
fragile = true

[[label]]
name = "Cup.001"
class = 4           # the alias
weight = 0.25
"""


def test_reads_every_kind_of_value(tmp_path: Path) -> None:
    cups, cup = read_labels(write(tmp_path, FILE))
    assert cups == LabelRule(
        pattern="Cup*",
        properties={"category_id": 3, "material_kind": "china", "size": [1, 2.5], "fragile": True},
    )
    assert cups.properties["fragile"] is True
    assert type(cups.properties["size"][0]) is int
    assert cup.properties == {"category_id": 4, "weight": 0.25}
    assert label_rules([cups]) == (cups,)
    assert label_rules(None) == ()


def test_later_rules_win_key_by_key(tmp_path: Path) -> None:
    rules = read_labels(write(tmp_path, FILE))
    labelled, unmatched = apply(rules, ["Cup", "Cup.001", "cup", "Table"])
    assert labelled == {
        "Cup": {"category_id": 3, "material_kind": "china", "size": [1, 2.5], "fragile": True},
        "Cup.001": {
            "category_id": 4, "material_kind": "china", "size": [1, 2.5], "fragile": True, "weight": 0.25,
        },
    }  # fmt: skip
    assert unmatched == []
    assert rules[0].properties["category_id"] == 3, "applying changes no rule"


def rule(pattern: str, **properties: object) -> LabelRule:
    return LabelRule(pattern=pattern, properties=properties or {"category_id": 1})


def test_patterns_are_those_of_a_shell_and_mind_case() -> None:
    names = ["a1", "a12", "A1", "[a]", "b\n1"]
    hits = {
        pattern: sorted(apply([rule(pattern)], names)[0]) for pattern in ("a?", "a*", "[Aa]1", "[[]a]", "*", "b*", "1")
    }
    assert hits == {
        "a?": ["a1"], "a*": ["a1", "a12"], "[Aa]1": ["A1", "a1"], "[[]a]": ["[a]"], "*": sorted(names),
        "b*": ["b\n1"], "1": [],
    }  # fmt: skip


def test_reports_patterns_that_fit_nothing_once_and_in_order() -> None:
    rules = [rule("x*"), rule("Cup"), rule("y"), rule("x*")]
    assert apply(rules, ["Cup"])[1] == ["x*", "y"]
    assert apply(rules, [])[1] == ["x*", "Cup", "y"]


@given(st.lists(st.text("ab", min_size=1, max_size=3)), st.lists(st.text("ab*?", min_size=1, max_size=3)))
def test_every_rule_reaches_an_object_or_is_reported(names: list[str], patterns: list[str]) -> None:
    rules = [rule(pattern, **{f"key{index}": index}) for index, pattern in enumerate(patterns)]
    labelled, unmatched = apply(rules, names)
    assert set(labelled) <= set(names)
    for index, pattern in enumerate(patterns):
        reached = any(f"key{index}" in properties for properties in labelled.values())
        assert reached == (pattern not in unmatched)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[label]]\nname = "A"\ncategory_id = 1\n[[label]]\nname = "Cup*"\ncategory_id = "cup"',
         r"labels\.toml: label 2 \('Cup\*'\): category_id must be an integer of 64 bits, got 'cup'"),
        ('[[label]]\nname = "A"\nclass = "cup"', r"label 1 \('A'\): category_id must be an integer"),
        ('[[label]]\nname = "A"\ncategory_id = 1.0', r"category_id must be an integer"),
        ('[[label]]\nname = "A"\ncategory_id = true', r"category_id must be an integer"),
        ('[[label]]\nname = "A"\ncategory_id = 1\nclass = 2', r"'category_id' is given twice"),
        ('[[label]]\nname = "A"\npart = 3', r"part must be text, a name or several with dots between, got 3"),
        ('[[label]]\nname = "A"\npart = "head."', r"part must be text"),
        ('[[label]]\nname = "A"\nuv = 3', r"'uv' is reserved"),
        ('[[label]]\nname = "A"\ninstance_id = 0', r"instance_id must be an integer from 1 to 4294967295"),
        ('[[label]]\nname = "A"\ninstance_id = 4294967296', r"instance_id must be an integer"),
        ('[[label]]\nname = "A"\ndepth = 1', r"'depth' is reserved"),
        ('[[label]]\nname = "A"\narea = 1', r"'area' is reserved"),
        ('[[label]]\nname = "A"\nborn = 2020-01-01', r"born must be true or false, a number, text or a list"),
        ('[[label]]\nname = "A"\nx = nan', r"x must be finite, got nan$"),
        ('[[label]]\nname = "A"\nx = [1, inf]', r"an element of a list must be finite"),
        ('[[label]]\nname = "A"\nx = {a = 1}', r"x must be true or false"),
        ('[[label]]\nname = "A"\n"a/b" = 1', r"'a/b' is no key"),
        ('[[label]]\nname = "A"', r"label 1 \('A'\): .*sets no property"),
        ('[[label]]\nname = ""\nx = 1', r"label 1 \(''\): .*the pattern is empty"),
        ("[[label]]\ncategory_id = 1", r'label 1: needs name = "\.\.\."'),
        ("[[label]]\nname = 3\ncategory_id = 1", r"label 1: needs name"),
        ('label = ["a"]', r"label 1: expected an entry \[\[label\]\], got 'a'"),
        ('[label]\nname = "A"\nx = 1', r"labels\.toml: holds no label; every entry begins with \[\[label\]\]$"),
        ('[[labels]]\nname = "A"', r"labels\.toml: unknown key 'labels'; every entry begins with \[\[label\]\]$"),
        ("", r"labels\.toml: holds no label"),
        ("[[label]\n", r"labels\.toml: not TOML: .*line 1"),
        (b"\x80", r"label file .*labels\.toml is not UTF-8 text"),
    ],
)  # fmt: skip
def test_wrong_file_names_file_and_entry(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(JobError, match=message) as caught:
        read_labels(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"label file .*none\.toml does not exist$"):
        label_rules(tmp_path / "none.toml")


def test_keys_keep_their_case_and_class_is_category_id() -> None:
    assert [canonical_key(key) for key in ("class", "Class", "MyProp", "category_id")] == [
        "category_id", "Class", "MyProp", "category_id",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["", " ", " a", "a ", ".", "a/b", "a\nb", "\x00"])
def test_keys_that_could_name_no_array(key: str) -> None:
    with pytest.raises(JobError, match="is no key"):
        canonical_key(key)


def test_numpy_values_become_plain() -> None:
    assert property_value("location", np.array([1.5, 2.0])) == [1.5, 2.0]
    assert type(property_value("category_id", np.int64(3))) is int
    assert property_value("flag", np.bool_(True)) is True
    assert property_value("size", (1, (2, 3))) == [1, [2, 3]]
    with pytest.raises(JobError, match="must be true or false"):
        property_value("nothing", None)
