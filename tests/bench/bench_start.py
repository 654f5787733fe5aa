"""Cold start: help against a one-command Typer program, a one-row read against a Django management command."""

from __future__ import annotations

import os
import sys

import pytest
from measure import PROGRAM, paired, process

pytestmark = [pytest.mark.bench, pytest.mark.engines("sqlite")]

TYPER = """
import typer
app = typer.Typer()

@app.command()
def main(name: str):
    print(name)

app()
"""
SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "app"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "bench_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SHOW = """
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("username")

    def handle(self, username, **options):
        from django.contrib.auth.models import User
        user = User.objects.get(username=username)
        self.stdout.write(f"{user.id}\\t{user.username}\\t{user.email}")
"""


@pytest.fixture
def env(run):
    return {**os.environ, **run.env}


def test_help(run, env, tmp_path):
    (tmp_path / "one.py").write_text(TYPER)
    peer = process([sys.executable, "one.py", "--help"], env, tmp_path)
    paired("usermgmt --help", process([*PROGRAM, "--help"], env, tmp_path), {"one-command Typer": peer})


def test_one_row(run, env, tmp_path):
    pytest.importorskip("django")
    run("user add alice --email alice@example.com")
    commands = tmp_path / "app" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands, commands.parent, commands.parent.parent):
        (folder / "__init__.py").touch()
    (commands / "showuser.py").write_text(SHOW)
    (tmp_path / "bench_settings.py").write_text(SETTINGS)
    (tmp_path / "manage.py").write_text(MANAGE)
    process([sys.executable, "manage.py", "migrate", "-v0"], env, tmp_path)()
    create = "from django.contrib.auth.models import User; User.objects.create(username='alice', email='a@b.c')"
    process([sys.executable, "manage.py", "shell", "-c", create], env, tmp_path)()
    peer = process([sys.executable, "manage.py", "showuser", "alice"], env, tmp_path)
    ours = process([*PROGRAM, "user", "show", "alice"], env, tmp_path)
    paired("usermgmt user show alice", ours, {"Django management command": peer}, runs=11)
