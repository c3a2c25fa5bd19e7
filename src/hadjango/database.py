"""Tells the tool about the project's default database: `python -m hadjango.database` prints one line of JSON.

vendor      what Django calls the kind of database, such as sqlite or mysql
name        the database's name; of an SQLite file the file's
migrated    whether any migration was ever applied to it
superuser   whether there is a superuser; null where the project has no users, or no table of them yet
"""

import json
from pathlib import Path

import django
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder


def describe():
    """Return what is to be printed."""
    name = str(connection.settings_dict["NAME"])
    return {
        "vendor": connection.vendor,
        "name": Path(name).name if connection.vendor == "sqlite" else name,
        "migrated": bool(MigrationRecorder(connection).applied_migrations()),
        "superuser": superuser(),
    }


def superuser():
    """Return whether there is a superuser, or None where there can be none."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth import get_user_model

    try:
        return get_user_model()._default_manager.filter(is_superuser=True).exists()
    except (FieldDoesNotExist, DatabaseError, ValueError):
        return None


if __name__ == "__main__":
    django.setup()
    print(json.dumps(describe()))
