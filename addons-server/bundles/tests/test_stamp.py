"""A build is told apart from any other by its stamp."""

import json
import os
import re
import subprocess

import pytest

from bundles import stamp

COMMIT = "3360f09a1b2c" + 28 * "0"


def git(directory, *arguments):
    """Run git, with an author, and without what this machine's user has configured."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    plain = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    ran = subprocess.run(["git", *who, *arguments], cwd=directory, env=plain, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.fixture
def working_copy(tmp_path):
    """Return a working copy with one commit."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "first")
    return tmp_path


def test_is_what_the_build_says_of_itself(working_copy):
    (working_copy / "build.json").write_text(json.dumps({"name": "a", "stamp": COMMIT}))
    assert stamp.of(working_copy, []) == COMMIT


def test_is_the_commit_of_a_working_copy(working_copy):
    assert stamp.of(working_copy, []) == git(working_copy, "rev-parse", "HEAD")


def test_is_the_commit_below_the_top_of_a_working_copy(working_copy):
    (working_copy / "addons-server").mkdir()
    assert stamp.of(working_copy / "addons-server", []) == git(working_copy, "rev-parse", "HEAD")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_is_the_commit_when_the_tree_is_another_users(working_copy):
    commit = git(working_copy, "rev-parse", "HEAD")
    for path in [working_copy, *working_copy.rglob("*")]:
        os.chown(path, 65534, 65534)
    assert stamp.of(working_copy, []) == commit


def test_is_not_led_astray_by_a_hooks_environment(working_copy, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("other")))
    assert stamp.of(working_copy, []) == git(working_copy, "rev-parse", "HEAD")


def test_is_of_the_content_where_git_knows_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    source = tmp_path / "site.css"
    source.write_text("a{}")
    first = stamp.of(tmp_path, [source])
    assert re.fullmatch("[0-9a-f]{40}", first)
    assert stamp.of(tmp_path, [source]) == first
    source.write_text("b{}")
    assert stamp.of(tmp_path, [source]) != first


@pytest.mark.parametrize("text", ["{", "[]", '{"stamp": "../../etc"}', '{"stamp": 7}'])
def test_of_a_broken_build_is_refused_by_name(tmp_path, text):
    (tmp_path / "build.json").write_text(text)
    with pytest.raises(stamp.StampError, match="build.json"):
        stamp.of(tmp_path, [])
