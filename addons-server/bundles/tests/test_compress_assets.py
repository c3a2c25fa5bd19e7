"""manage.py compress_assets makes bundles of the frontend."""

import json
import logging
import os
import re
import shutil
import stat
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from bundles import manifest

REAL = Path(__file__).resolve().parents[2]
STAMP = "3360f09a1b2c" + 28 * "d"
MARK = STAMP[:12]

needs_npm = pytest.mark.skipif(
    not (REAL / "node_modules" / ".bin" / "esbuild").exists(), reason="run npm ci in addons-server first"
)


@pytest.fixture
def sources(project):
    """Return the frontend of a build: a style sheet with a font, a part and an icon, and a script with a part."""
    (project / "build.json").write_text(json.dumps({"stamp": STAMP}))
    (project / "node_modules").symlink_to(REAL / "node_modules")
    directory = project / "frontend"
    (directory / "parts").mkdir(parents=True)
    (directory / "site.css").write_text(
        '@import "./parts/font.css";\n@import "modern-normalize";\n.a { & .b { color: red } }\n'
    )
    (directory / "parts" / "font.css").write_text('@font-face { font-family: sans; src: url("sans.woff2") }\n')
    (directory / "parts" / "sans.woff2").write_bytes(b"wOF2 and more")
    (directory / "site.js").write_text('import { part } from "./parts/part.js";\npart("the page");\n')
    (directory / "parts" / "part.js").write_text("export const part = (name) => console.log(`part of ${name}`);\n")
    return directory


def compress(**options):
    """Run the command; return the names by bundle."""
    call_command("compress_assets", verbosity=0, **options)
    return json.loads((manifest.directory() / manifest.NAME).read_text())


def names():
    """Return the names of all files among the bundles."""
    return {path.name for path in manifest.directory().iterdir()}


@needs_npm
def test_works_with_modules_that_lie_elsewhere_under_another_name(sources, project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("shared") / "3360f09"
    for name in (".bin", "esbuild", "@esbuild", "modern-normalize"):
        shutil.copytree(REAL / "node_modules" / name, elsewhere / name, symlinks=True)
    (project / "node_modules").unlink()
    (project / "node_modules").symlink_to(elsewhere)
    assert compress()["stamp"] == STAMP


@needs_npm
def test_gives_names_that_carry_the_stamp(sources):
    assert compress() == {
        "stamp": STAMP,
        "files": {
            "site.css": f"site-{MARK}.css",
            "site.js": f"site-{MARK}.js",
            "sans.woff2": f"sans-{MARK}.woff2",
        },
    }
    assert names() == {
        "manifest.json",
        f"site-{MARK}.css",
        f"site-{MARK}.css.map",
        f"site-{MARK}.js",
        f"site-{MARK}.js.map",
        f"sans-{MARK}.woff2",
    }


@needs_npm
def test_bundles_and_minifies(sources):
    compress()
    css = (manifest.directory() / f"site-{MARK}.css").read_text()
    assert ".a .b{color:red}" in css, "nesting is rewritten for browsers that do not know it"
    assert f'url("./sans-{MARK}.woff2")' in css
    assert "box-sizing:border-box" in css, "node_modules is searched"
    script = (manifest.directory() / f"site-{MARK}.js").read_text()
    assert "part of" in script
    assert "import" not in script


@needs_npm
def test_tells_nobody_where_the_tree_lies(sources):
    compress()
    for path in manifest.directory().glob("*.map"):
        named = json.loads(path.read_text())["sources"]
        assert named
        assert not [source for source in named if not re.match(r"(\.\./)*(frontend|node_modules)/", source)], named


@needs_npm
def test_can_be_read_by_the_web_server(sources):
    compress()
    for path in manifest.directory().iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444, path


@needs_npm
def test_removes_the_bundles_of_another_stamp_and_what_was_interrupted(sources, project):
    compress()
    (project / "build.json").write_text(json.dumps({"stamp": 40 * "4"}))
    (manifest.directory() / ".making-killed").mkdir()
    (manifest.directory() / ".gitignore").write_text("*")
    compress()
    assert not [name for name in names() if MARK in name or "making" in name]
    assert {".gitignore", "manifest.json", "site-444444444444.css"} <= names()


@needs_npm
def test_may_be_run_again(sources):
    first = compress()
    (sources / "site.css").write_text(".again { color: red }")
    second = compress()
    assert first["files"]["site.css"] == second["files"]["site.css"]
    assert ".again" in (manifest.directory() / f"site-{MARK}.css").read_text()


@needs_npm
def test_that_fails_shows_what_esbuild_says_and_keeps_what_is_there(sources):
    compress()
    before = {path: path.read_bytes() for path in manifest.directory().iterdir()}
    (sources / "site.js").write_text('import "./gone.js";\nlet a = ;\n')
    with pytest.raises(CommandError, match=r"(?s)esbuild failed with status 1.*site\.js:2:8"):
        compress()
    assert {path: path.read_bytes() for path in manifest.directory().iterdir()} == before


@needs_npm
def test_leaves_what_esbuild_warns_of_in_the_log(sources, caplog):
    (sources / "site.css").write_text("a { color: red;\n")
    with caplog.at_level(logging.WARNING):
        compress()
    assert "esbuild says" in caplog.text
    assert "site.css:2:0" in caplog.text


def test_says_what_to_do_without_node_modules(sources, project):
    (project / "node_modules").unlink()
    with pytest.raises(CommandError, match=r"\.bin/esbuild is missing: run npm ci in "):
        compress()


def test_says_what_to_do_with_the_node_modules_of_another_machine(sources, project):
    (project / "node_modules").unlink()
    program = project / "node_modules" / ".bin" / "esbuild"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    with pytest.raises(CommandError, match="esbuild does not run: .*Run npm ci"):
        compress()


def test_says_that_there_is_nothing_to_bundle(project):
    with pytest.raises(CommandError, match="frontend holds no file to bundle"):
        compress()


def test_says_that_the_build_is_broken(sources, project):
    (project / "build.json").write_text("{")
    with pytest.raises(CommandError, match="build.json is no manifest"):
        compress()


@needs_npm
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_works_in_a_tree_of_another_user(sources, project):
    for path in [project, *project.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    assert compress()["stamp"] == STAMP


@needs_npm
def test_fonts_and_maps_are_found_after_collectstatic(sources, project):
    """The manifest storage gives every file another name once more, and has to find all that a bundle refers to."""
    compress()
    storage = ManifestStaticFilesStorage(location=project / "collected", base_url="/static/")
    here = FileSystemStorage(location=manifest.directory().parent)
    found = {f"bundles/{name}": (here, f"bundles/{name}") for name in names()}
    for name in found:
        with here.open(name) as file:
            storage.save(name, file)
    failed = [done for _name, _hashed, done in storage.post_process(found) if isinstance(done, Exception)]
    assert failed == []
    css = (project / "collected" / storage.stored_name(f"bundles/site-{MARK}.css")).read_text()
    (font,) = re.findall(r'url\("([^"]+\.woff2)"\)', css)
    assert re.fullmatch(rf"sans-{MARK}\.[0-9a-f]+\.woff2", Path(font).name)
    assert (project / "collected" / "bundles" / font).exists()
    (source_map,) = re.findall(r"sourceMappingURL=(\S+)", css)
    assert (project / "collected" / "bundles" / source_map).exists()


@needs_npm
def test_bundles_the_real_frontend(settings, project):
    """The pages' own frontend, with the fonts that they preload."""
    (project / "build.json").write_text(json.dumps({"stamp": STAMP}))
    for name in ("frontend", "node_modules"):
        (project / name).symlink_to(REAL / name)
    files = compress()["files"]
    preloaded = re.findall(r'preload_font "([^"]+)"', (REAL / "templates" / "base.html").read_text())
    assert preloaded
    assert {"site.css", "site.js", *(f"{name}.woff2" for name in preloaded)} <= files.keys()
    css = (manifest.directory() / files["site.css"]).read_text()
    assert "http://" not in css.replace("http://www.w3.org/", "")
    assert not re.search(r"url\(.?(https?:)?//", css)
