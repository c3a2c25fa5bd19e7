"""Paints icons and backgrounds. The same source of chance paints the same."""

import colorsys

from PIL import Image, ImageChops, ImageDraw, ImageOps

from catalogue.uploads import encoded

ICON = 128
BACKGROUND = (1400, 280)


def colour(hue, saturation=0.6, lightness=0.5):
    """Return a colour by its hue in degrees."""
    return tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue % 360 / 360, lightness, saturation))


def icon(chance, hue):
    """Return a PNG: a few shapes on a round field of the hue."""
    side = ICON * 2  # drawn twice as large and made smaller, the edges are smooth
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 5, fill=colour(hue))
    for lightness in (0.7, 0.85, 0.97):
        _shape(chance, draw, side, colour(hue + chance.randint(-40, 40), lightness=lightness))
    return encoded(picture.resize((ICON, ICON), Image.Resampling.LANCZOS), "PNG")


def _shape(chance, draw, side, fill):
    """Draw a circle, a square or a triangle somewhere in the middle."""
    middle = (chance.randint(side // 3, side * 2 // 3), chance.randint(side // 3, side * 2 // 3))
    radius, turn = chance.randint(side // 8, side // 4), chance.randint(0, 90)
    corners = chance.choice([0, 3, 4, 6])
    if corners:
        draw.regular_polygon((*middle, radius), corners, turn, fill=fill)
    else:
        draw.circle(middle, radius, fill=fill)


def background(chance, hue):
    """Return a JPEG: a slanting gradient between two hues, with a pattern that can hardly be seen."""
    across = Image.linear_gradient("L").rotate(90).resize(BACKGROUND)
    down = Image.linear_gradient("L").resize(BACKGROUND)
    slant = Image.blend(across, down, chance.uniform(0.1, 0.6))
    dark, light = colour(hue, 0.5, 0.25), colour(hue + chance.randint(30, 90), 0.6, 0.65)
    painted = ImageOps.colorize(slant, dark, light)
    return encoded(ImageChops.soft_light(painted, _pattern(chance)), "JPEG")


def _pattern(chance):
    """Return hills, circles or stripes in greys close to the middle."""
    picture = Image.new("RGB", BACKGROUND, (128, 128, 128))
    draw, (width, height) = ImageDraw.Draw(picture), BACKGROUND
    kind = chance.choice(["hills", "circles", "stripes"])
    for _ in range(12):
        grey = (chance.randint(90, 180),) * 3
        x, size = chance.randint(0, width), chance.randint(height // 4, height)
        if kind == "hills":
            draw.ellipse((x - 3 * size, height - size // 2, x + 3 * size, height + size), fill=grey)
        elif kind == "circles":
            draw.circle((x, chance.randint(0, height)), size // 2, fill=grey)
        else:
            draw.polygon([(x, 0), (x + size // 2, 0), (x - size // 2, height), (x - size, height)], fill=grey)
    return picture
