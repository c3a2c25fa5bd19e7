"""The project's WSGI application for any server; a build is served through hadjango.uwsgi.wsgi instead."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "addons.settings")

application = get_wsgi_application()
