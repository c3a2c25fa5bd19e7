"""Settings of the demo project; they work as they stand and wrapped by hadjango.settings in a build.

Variables of the environment, all of them optional:

DJANGO_DEBUG            1 for development; off by default
DJANGO_SECRET_KEY       else a key is made once and kept in the data directory
DJANGO_ALLOWED_HOSTS    comma-separated host names
DATABASE_URL            sqlite:///path, mysql://… or postgres://…; by default SQLite in the data directory
HADJANGO_DATA           the data directory, shared by all builds; by default the project's own directory
HADJANGO_BUILD, HADJANGO_TAG    what the footer shows
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from addons import environment

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("HADJANGO_DATA") or BASE_DIR)
TESTING = "test" in sys.argv[1:2]

HADJANGO_BUILD = os.environ.get("HADJANGO_BUILD") or "dev"
HADJANGO_TAG = os.environ.get("HADJANGO_TAG") or "working copy"

DEBUG = environment.flag("DJANGO_DEBUG")
SECRET_KEY = environment.secret_key(DATA_DIR)
ALLOWED_HOSTS = environment.words(
    "DJANGO_ALLOWED_HOSTS",
    ["live.localhost", "stage.localhost", "live.addons", "stage.addons", "localhost", "127.0.0.1", "[::1]"],
)

# No header of a proxy is trusted (USE_X_FORWARDED_HOST, SECURE_PROXY_SSL_HEADER): nginx speaks the uwsgi protocol to us and
# passes host and scheme outside the headers, while an X-Forwarded-* header would be the client's own word.

INSTALLED_APPS = [
    "catalogue",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "addons.urls"
WSGI_APPLICATION = "addons.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "addons.context_processors.build",
            ],
        },
    },
]

DATABASES = {
    "default": environment.database(
        os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str(DATA_DIR / 'addons.sqlite3'))}"
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
LANGUAGES = [("en-us", "English (US)")]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"

# Names that carry a hash of the content can be cached for ever, but exist only after collectstatic.
_files = "StaticFilesStorage" if DEBUG or TESTING else "ManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": f"django.contrib.staticfiles.storage.{_files}"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
