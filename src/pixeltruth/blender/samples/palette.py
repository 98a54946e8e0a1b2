"""What the things of the still life are made of."""

from pixeltruth.blender.samples.surfaces import Color, Material, Stops, Surface

BLACK: Color = (0.0, 0.0, 0.0)
CLAY: Color = (0.20, 0.115, 0.070)


def wood(name: str) -> Material:
    """Oiled boards: long grain along x, each board cut from another place and a little lighter or darker."""
    surface = Surface(name, Roughness=0.5, Specular_IOR_Level=0.35)
    board = surface.math("MULTIPLY", surface.island(), 7.0)
    grain = surface.noise(1.6, vector=surface.shifted(surface.stretched((1.2, 16.0, 16.0)), board), detail=8.0)
    pores = surface.noise(60.0, stretch=(0.35, 9.0, 9.0), detail=2.0)
    tone = surface.math("MULTIPLY_ADD", surface.island(), 0.14, surface.math("MULTIPLY", pores, 0.2))
    stops = [(0.45, (0.050, 0.021, 0.009)), (0.66, (0.17, 0.075, 0.030)), (0.95, (0.33, 0.165, 0.072))]
    return surface.color(surface.math("ADD", grain, tone), stops).material


def plaster(name: str, dark: Color, light: Color) -> Material:
    """A painted wall, brushed."""
    surface = Surface(name, Roughness=0.85, Specular_IOR_Level=0.2)
    return surface.color(surface.noise(2.2, detail=7.0), [(0.3, dark), (0.72, light)]).material


def linen(name: str, thread: Color, stripe: Color) -> Material:
    """A napkin: two thin stripes along each of the two short edges."""
    surface = Surface(name, Roughness=0.9, Specular_IOR_Level=0.1)
    x = surface.math("ABSOLUTE", surface.coordinate("X"))
    band = surface.math("MAXIMUM", *(surface.math("COMPARE", x, at, 0.0035) for at in (0.128, 0.142)))
    return surface.set(Base_Color=surface.mix(surface.math("MULTIPLY", band, 0.8), thread, stripe)).material


def skin(name: str, stops: Stops, *, half: float) -> Material:
    """Fruit of half-height ``half``: a ramp from bottom to top broken by blotches."""
    surface = Surface(name, Roughness=0.4)
    streaks = surface.math("MULTIPLY_ADD", surface.noise(42.0, stretch=(1.0, 1.0, 0.3), detail=6.0), 0.7, -0.35)
    return surface.color(surface.math("ADD", surface.height(-half, half), streaks), stops).material


def glaze(name: str, color: Color, *, line: float, roughness: float = 0.4) -> Material:
    """Glazed stoneware with iron specks, bare clay below ``line`` metres."""
    surface = Surface(name, Roughness=roughness)
    dark = (color[0] * 0.5, color[1] * 0.45, color[2] * 0.4)
    specks = surface.ramp(surface.noise(300.0, detail=1.0), [(0.68, color), (0.73, dark)])
    edge = surface.math("MULTIPLY_ADD", surface.noise(25.0), 0.008, surface.coordinate("Z"))
    above = surface.math("GREATER_THAN", edge, line + 0.004)
    return surface.set(Base_Color=surface.mix(above, CLAY, specks)).material


def cover(name: str, color: Color) -> Material:
    """Book cloth, a little rubbed."""
    surface = Surface(name, Roughness=0.7, Specular_IOR_Level=0.25)
    rubbed = (color[0] * 1.5 + 0.02, color[1] * 1.5 + 0.02, color[2] * 1.5 + 0.02)
    return surface.color(surface.noise(35.0, detail=6.0), [(0.42, color), (0.8, rubbed)]).material


def paper(name: str) -> Material:
    """The edges of pages: lines across z."""
    surface = Surface(name, Roughness=0.9, Specular_IOR_Level=0.1)
    leaves = surface.noise(250.0, stretch=(0.02, 0.02, 1.0), detail=2.0)
    return surface.color(leaves, [(0.3, (0.42, 0.34, 0.23)), (0.6, (0.74, 0.66, 0.52))]).material


def speckled(name: str, color: Color, speck: Color) -> Material:
    """An egg shell."""
    surface = Surface(name, Roughness=0.5, Specular_IOR_Level=0.35)
    return surface.color(surface.noise(230.0, detail=3.0), [(0.6, color), (0.72, speck)]).material


def leaf(name: str) -> Material:
    """Olive leaves, each of its own green."""
    surface = Surface(name, Roughness=0.55, Specular_IOR_Level=0.4)
    return surface.color(surface.island(), [(0.0, (0.035, 0.060, 0.020)), (1.0, (0.130, 0.165, 0.075))]).material


def metal(name: str, color: Color, roughness: float) -> Material:
    """Turned brass and the like."""
    return Surface(name, Base_Color=color, Metallic=1.0, Roughness=roughness).material


def plain(name: str, color: Color, roughness: float = 0.5) -> Material:
    """One colour."""
    return Surface(name, Base_Color=color, Roughness=roughness).material


def glowing(name: str, color: Color, strength: float) -> Material:
    """A light source."""
    return Surface(name, Base_Color=BLACK, Emission_Color=color, Emission_Strength=strength).material
