"""`Light`: its defaults, and that it survives JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError
from pixeltruth.lights import Light
from pixeltruth.records import build

triples = st.tuples(*[st.floats(-1e3, 1e3)] * 3)


@given(st.sampled_from(["point", "spot", "area"]), triples, st.floats(1e-3, 1e6), st.floats(0, 9), triples)
def test_survives_json(kind: str, location: object, energy: float, radius: float, rotation: object) -> None:
    values = {"kind": kind, "location": location, "energy": energy, "radius": radius, "rotation": rotation}
    light = build(Light, values)
    assert light.model_dump() == values
    assert Light.model_validate_json(light.model_dump_json()) == light


def test_radius_is_a_quarter_metre_but_for_the_sun() -> None:
    values = {"location": (0, 0, 1), "energy": 1}
    assert [build(Light, {**values, "kind": kind}).radius for kind in ("point", "spot", "area")] == [0.25] * 3
    sun = build(Light, {**values, "kind": "sun"})
    assert sun.radius is None
    assert Light.model_validate_json(sun.model_dump_json()) == sun
    with pytest.raises(JobError, match="a sun has no radius"):
        build(Light, {**values, "kind": "sun", "radius": 0.25})
