"""`Light`: a lamp that a job adds to the scene."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pixeltruth.records import Number, Positive, Record, Vector

LightKind = Literal["point", "sun", "spot", "area"]

RADIUS_M = 0.25
"""Radius of a light that states none."""


class Light(Record):
    """A lamp in the world frame.

    Attributes:
        kind: Blender's kinds. A spot's cone is Blender's default (45 degrees); an area light is a disc.
        location: Metres, world frame.
        energy: Radiant power in watts; for a sun, irradiance in watts per square metre.
        radius: Metres, of the shining sphere (point, spot) or disc (area), 0.25 by default; a sun has none.
        rotation: XYZ Euler angles in radians; a light that is not turned shines along -z.
    """

    kind: LightKind
    location: Vector
    energy: Positive
    radius: Annotated[Number, Field(ge=0)] | None = None
    rotation: Vector = (0.0, 0.0, 0.0)

    @model_validator(mode="before")
    @classmethod
    def _default_radius(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("radius") is None and values.get("kind") != "sun":
            return {**values, "radius": RADIUS_M}
        return values

    @model_validator(mode="after")
    def _sun_has_no_radius(self) -> "Light":
        if self.kind == "sun" and self.radius is not None:
            raise ValueError("a sun has no radius: it is infinitely far; leave the radius out")
        return self
