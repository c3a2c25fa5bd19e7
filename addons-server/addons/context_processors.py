"""What every template knows."""

from django.conf import settings

try:
    from uwsgi import worker_id
except ImportError:

    def worker_id():
        """Return that there is no worker, as another server than uWSGI runs us."""
        return None


def build(request):
    """Tell which build, and which of its workers, answers the request."""
    return {
        "build": {
            "name": settings.HADJANGO_BUILD,
            "tag": settings.HADJANGO_TAG,
            "worker": worker_id(),
            "hue": hue(settings.HADJANGO_BUILD),
        }
    }


def hue(name):
    """Return the colour of a build, in degrees: the same always, and far from that of the build before.

    137 is the golden angle, the step by which ever more points on a circle stay furthest from each other.
    """
    return int.from_bytes(name.encode(), "big") * 137 % 360
