"""What tells the bundles of one build from those of any other."""

import hashlib
import json
import os
import re
import subprocess

DIGITS = re.compile(r"[0-9a-f]{40,64}")
SHOWN = 12


class StampError(Exception):
    """A build says something of itself that cannot be."""


def of(base, sources):
    """Return the stamp of the build in the directory, or else its commit, or else a hash of the sources."""
    return _of_build(base / "build.json") or _of_commit(base) or _of_content(sources)


def _of_build(path):
    """Return the stamp that a build's manifest holds, if this is a build."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8")).get("stamp")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise StampError(f"{path} is no manifest of a build: {error}") from error
    if stamp and not DIGITS.fullmatch(str(stamp)):
        raise StampError(f"{path} has the stamp {stamp!r}, which is no hash of a commit")
    return stamp


def _of_commit(base):
    """Return the commit of the working copy, if git knows of one.

    git refuses a tree that belongs to another user unless it is told that the tree is safe; asking for a commit runs
    nothing that the tree could bring along. Variables such as GIT_DIR, which a hook has, would lead to another tree.
    """
    argv = ["git", "-c", "safe.directory=*", "-C", str(base), "rev-parse", "--verify", "--quiet", "HEAD"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(argv, env=plain, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer if DIGITS.fullmatch(answer) else None


def _of_content(sources):
    """Return a hash of the names and contents of files."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted(sources):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
