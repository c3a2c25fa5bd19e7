"""Tells the tool about the project's default database: `python -m hadjango.database` prints one line of JSON.

vendor      what Django calls the kind of database, such as sqlite or mysql
name        the database's name; of an SQLite file the file's
migrated    whether any migration was ever applied to it
superuser   whether there is a superuser; null where the project has no users, or no table of them yet
superuser_fields
            what createsuperuser takes from variables, as their names end after DJANGO_SUPERUSER_

A database that cannot be reached is one line on standard error, and the exit status 1.
"""

import json
import os
import sys
from pathlib import Path

import django
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder


def describe():
    """Return what is to be printed."""
    return {
        "vendor": connection.vendor,
        "name": name(),
        "migrated": bool(MigrationRecorder(connection).applied_migrations()),
        "superuser": superuser(),
        "superuser_fields": superuser_fields(),
    }


def name():
    """Return the database's name, of an SQLite file without its directory."""
    path = str(connection.settings_dict["NAME"])
    return Path(path).name if connection.vendor == "sqlite" else path


def superuser():
    """Return whether there is a superuser, or None where there can be none."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth import get_user_model

    try:
        return get_user_model()._default_manager.filter(is_superuser=True).exists()
    except (FieldDoesNotExist, DatabaseError, ValueError):
        return None


def superuser_fields():
    """Return the fields that a superuser is made of, in capitals, the password's last."""
    if not apps.is_installed("django.contrib.auth"):
        return []
    from django.contrib.auth import get_user_model

    user = get_user_model()
    return [field.upper() for field in [user.USERNAME_FIELD, *user.REQUIRED_FIELDS, "password"]]


def unreachable(error):
    """Return a line that says which database is away; the drivers put no password into their errors."""
    place = "DATABASE_URL" if os.environ.get("DATABASE_URL") else "DATABASES in the settings"
    reason = " ".join(str(error).split())
    return f"the database {name()} ({connection.vendor}) cannot be reached: {reason} · look at {place}"


if __name__ == "__main__":
    django.setup()
    try:
        print(json.dumps(describe()))
    except OperationalError as error:
        sys.exit(unreachable(error))
