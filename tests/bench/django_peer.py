"""The peer of the import benchmark: a plain Django project's way to load the same CSV; run as a process of its own."""

import csv
import datetime
import sys
import uuid
from itertools import islice
from pathlib import Path

import django
from django.conf import settings

source, database = sys.argv[1:3]
for ending in ("", "-wal", "-shm"):
    Path(database + ending).unlink(missing_ok=True)
settings.configure(
    INSTALLED_APPS=[],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402 - Django's models need the settings


class User(models.Model):
    class Meta:
        app_label = "peer"
        db_table = "user"
        indexes = [
            models.Index(fields=["status", "id"]),
            models.Index(fields=["created_at", "id"]),
            models.Index(fields=["skeleton"]),
            models.Index(fields=["valid_until"], name="vu", condition=models.Q(valid_until__isnull=False)),
        ]

    uid = models.CharField(max_length=36, unique=True)
    version = models.BigIntegerField(default=1)
    kind = models.CharField(max_length=10)
    status = models.CharField(max_length=10)
    status_reason = models.CharField(max_length=2000, null=True)
    status_at = models.DateTimeField()
    username = models.CharField(max_length=128)
    username_norm = models.CharField(max_length=128, unique=True)
    skeleton = models.CharField(max_length=300)
    display_name = models.CharField(max_length=200, null=True)
    full_name = models.CharField(max_length=200, null=True)
    email = models.CharField(max_length=254, null=True)
    email_norm = models.CharField(max_length=254, null=True, unique=True)
    email_verified_at = models.DateTimeField(null=True)
    phone = models.CharField(max_length=16, null=True, unique=True)
    phone_verified_at = models.DateTimeField(null=True)
    gender = models.CharField(max_length=10, null=True)
    birth_date = models.DateField(null=True)
    occupation = models.CharField(max_length=200, null=True)
    locale = models.CharField(max_length=35, null=True)
    time_zone = models.CharField(max_length=64, null=True)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    managed_by = models.CharField(max_length=200, null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


def users():
    now = datetime.datetime.now(datetime.UTC)
    with Path(source).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            derived = {name: row["username"].lower() for name in ("username_norm", "skeleton")}
            yield User(
                uid=str(uuid.uuid4()),
                kind="person",
                status="active",
                status_at=now,
                created_at=now,
                updated_at=now,
                email_norm=row["email"].lower(),
                **derived,
                **row,
            )


with connection.schema_editor() as editor:
    editor.create_model(User)
with connection.cursor() as cursor:
    cursor.execute("PRAGMA journal_mode=WAL")
rows = users()
with transaction.atomic():
    while batch := list(islice(rows, 5000)):
        User.objects.bulk_create(batch)
