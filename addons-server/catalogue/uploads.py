"""Takes in pictures from people: what is kept is a new picture made of what was sent, never the file itself."""

import uuid
from dataclasses import dataclass
from io import BytesIO

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 16_000_000


@dataclass(frozen=True)
class Picture:
    """What a picture has to be, and what is made of it."""

    most_bytes: int
    size: tuple[int, int]
    format: str
    square: bool = False
    least: int = 16

    def cleaned(self, file):
        """Return the picture that is made of an uploaded one; what is not an upload, as it is."""
        if not isinstance(file, UploadedFile):
            return file
        if file.size > self.most_bytes:
            raise ValidationError(
                _("The picture is too large: %(kilobytes)d kB are allowed.") % {"kilobytes": self.most_bytes // 1024}
            )
        made = self._made(_decoded(file))
        return ContentFile(encoded(made, self.format), name(self.format))

    def _made(self, picture):
        """Return the picture in the size wanted."""
        width, height = picture.size
        if min(width, height) < self.least:
            raise ValidationError(_("The picture is too small: it needs %(least)d pixels each way.") % {"least": self.least})
        if self.square and width != height:
            raise ValidationError(_("The picture must be as wide as it is high."))
        picture.thumbnail(self.size, Image.Resampling.LANCZOS)
        return picture


def _decoded(file):
    """Return the picture in a file, wholly decoded: a header says nothing about the rest."""
    try:
        file.seek(0)
        picture = Image.open(file, formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise ValidationError(_("The picture has too many pixels."))
        return ImageOps.exif_transpose(picture).convert("RGBA")
    except ValidationError:
        raise
    except Exception as error:  # a broken file makes a decoder raise anything
        raise ValidationError(_("This is no picture we can read: send a PNG, JPEG or WebP.")) from error


def encoded(picture, format):
    """Return a picture as the bytes of a file."""
    if format == "JPEG":
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
        picture = flat
    out = BytesIO()
    picture.save(out, format, quality=85, optimize=format == "PNG")
    return out.getvalue()


def name(format):
    """Return a name that no other picture has, whatever the sender called it."""
    return f"{uuid.uuid4().hex}.{'jpg' if format == 'JPEG' else format.lower()}"
