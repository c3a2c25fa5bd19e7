"""Settings of the demo project; they work as they stand and wrapped by hadjango.settings in a build.

Variables of the environment, all of them optional:

DJANGO_DEBUG            1 for development; off by default
DJANGO_SECRET_KEY       else a key is made once and kept in the data directory
DJANGO_ALLOWED_HOSTS    comma-separated host names
DATABASE_URL            sqlite:///path, mysql://… or postgres://…; by default SQLite in the data directory
CACHE_URL               locmem://, memcached://host:port or redis://host:port/0; by default each process has its own cache
SEARCH_URL              http://host:9200/index of an OpenSearch or Elasticsearch; by default the database searches
HADJANGO_DATA           the data directory, shared by all builds; by default the project's own directory
HADJANGO_BUILD, HADJANGO_TAG    what the footer shows

A URL's user and password are percent-encoded, and its query holds options of the driver:

    mysql://addons:p%40ss@db.example:3306/addons        MySQL, MariaDB; make the database with CHARACTER SET utf8mb4
    mysql://addons@/addons?unix_socket=/run/mysqld/mysqld.sock
    postgres://addons:secret@[::1]:5432/addons?sslmode=require
    memcached://10.0.0.1:11211,10.0.0.2:11211           several servers share the keys
    memcached:///run/memcached/memcached.sock
    redis://:secret@cache.example:6379/0                rediss:// for TLS
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from django.core.management.utils import get_random_secret_key

from addons import environment

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("HADJANGO_DATA") or BASE_DIR)
TESTING = "test" in sys.argv[1:2] or "pytest" in sys.modules

HADJANGO_BUILD = os.environ.get("HADJANGO_BUILD") or "dev"
HADJANGO_TAG = os.environ.get("HADJANGO_TAG") or "working copy"

DEBUG = environment.flag("DJANGO_DEBUG")
# Tests write nothing into the project, whose directory may be a build that nobody may write to.
SECRET_KEY = get_random_secret_key() if TESTING else environment.secret_key(DATA_DIR)
ALLOWED_HOSTS = environment.words(
    "DJANGO_ALLOWED_HOSTS",
    ["live.localhost", "stage.localhost", "live.addons", "stage.addons", "localhost", "127.0.0.1", "[::1]"],
)

# No header of a proxy is trusted (USE_X_FORWARDED_HOST, SECURE_PROXY_SSL_HEADER): nginx speaks the uwsgi protocol to us and
# passes host and scheme outside the headers, while an X-Forwarded-* header would be the client's own word.

INSTALLED_APPS = [
    "bundles",
    "locales",
    "users",
    "catalogue",
    "ratings",
    "lists",
    "search",
    "api",
    "jobs",
    "rest_framework",
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
    "locales.middleware.prefix",
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
                "locales.context_processors.prefix",
            ],
        },
    },
]

DATABASES = {
    "default": environment.database(os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str(DATA_DIR / 'addons.sqlite3'))}"),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Builds share a cache server, but what one has rendered is not for the pages of another. Tests empty their cache.
CACHES = {
    "default": {
        **environment.cache("locmem://" if TESTING else os.environ.get("CACHE_URL") or "locmem://"),
        "KEY_PREFIX": f"addons:{HADJANGO_BUILD}",
        "TIMEOUT": 60,
    },
}

SEARCH = environment.search(os.environ.get("SEARCH_URL", ""))

AUTH_USER_MODEL = "users.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "profile"
LOGOUT_REDIRECT_URL = "home"

LANGUAGE_CODE = "en-us"
LANGUAGES = [("en-us", "English (US)"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
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

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pages",
    "UNAUTHENTICATED_USER": None,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
