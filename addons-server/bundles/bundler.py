"""Has esbuild make the bundles."""

import json
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bundles import manifest, stamp

ENTRIES = (".css", ".js", ".ts")
ESBUILD = Path("node_modules", ".bin", "esbuild")

# The oldest browsers that know the colours we mix; esbuild rewrites what is newer than they are.
TARGET = "chrome111,edge111,firefox113,safari16.4"
# Icons are small and many: they travel within the style sheet.
LOADERS = {"svg": "dataurl", "woff2": "file", "png": "file", "jpg": "file", "webp": "file", "avif": "file"}

log = logging.getLogger(__name__)


class BundleError(Exception):
    """The bundles cannot be made."""


def bundle(base, out):
    """Make the bundles of the project in base; return their manifest's stamp and names.

    What is there stays until all is made. Then the new files come, then the manifest that names them, and then the files
    that it does not name go: a page that is rendered meanwhile links to files that exist.
    """
    entries = _entries(base / "frontend")
    mark = stamp.of(base, [path for path in (base / "frontend").rglob("*") if path.is_file()])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as making:
        names = _names(_run_esbuild(base, entries, Path(making), mark[: stamp.SHOWN]))
        for path in Path(making).iterdir():
            os.replace(path, out / path.name)
    manifest.write(out, mark, names)
    _remove_others(out, names.values())
    return mark, names


def _entries(directory):
    """Return the files that become bundles."""
    found = sorted(path for path in directory.glob("*") if path.suffix in ENTRIES and path.is_file())
    if not found:
        raise BundleError(f"{directory} holds no file to bundle, which would end in one of {', '.join(ENTRIES)}")
    return found


def _run_esbuild(base, entries, into, mark):
    """Run esbuild, with its warnings going into the log; return what it says of the files it made."""
    program = base / ESBUILD
    if not program.exists():
        raise BundleError(f"{program} is missing: run npm ci in {base}")
    meta = into / "meta.json"
    warned = _run(_argv(program, base, entries, into, mark, meta), base)
    if warned:
        log.warning("esbuild says:\n%s", warned)
    outputs = json.loads(meta.read_text(encoding="utf-8"))["outputs"]
    meta.unlink()
    return outputs


def _run(argv, base):
    """Run a command; return what it says on stderr."""
    try:
        ran = subprocess.run(argv, cwd=base, env=_environment(base), capture_output=True, text=True, check=True)
    except OSError as error:
        raise BundleError(f"{argv[0]} does not run: {error}. Run npm ci in {base} again, on this machine") from error
    except subprocess.CalledProcessError as error:
        raise BundleError(f"esbuild failed with status {error.returncode}:\n{error.stderr.strip()}") from error
    return ran.stderr.strip()


def _environment(base):
    """Return the environment, with the way to the modules: a link to a directory of another name leads esbuild astray."""
    return {**os.environ, "NODE_PATH": str(base / "node_modules")}


def _argv(program, base, entries, into, mark, meta):
    """Return the command.

    With preserve-symlinks a node_modules that is a link to elsewhere serves as one that lies here, and the source maps tell
    nobody where elsewhere is.
    """
    return [
        str(program),
        *[str(path.relative_to(base)) for path in entries],
        "--bundle",
        "--minify",
        "--format=esm",
        "--preserve-symlinks",
        "--sourcemap=linked",
        f"--target={TARGET}",
        f"--outdir={into}",
        f"--entry-names=[name]-{mark}",
        f"--asset-names=[name]-{mark}",
        f"--metafile={meta}",
        "--log-level=warning",
        "--color=false",
        *[f"--loader:.{suffix}={loader}" for suffix, loader in LOADERS.items()],
    ]


def _names(outputs):
    """Return the names of the files that were made, by what they are made of.

    A bundle is found by its own name: site.ts becomes site.js. Fonts and pictures are found by theirs; maps need not be.
    """
    return {_plain(output, made): Path(output).name for output, made in outputs.items() if not output.endswith(".map")}


def _plain(output, made):
    source = Path(made.get("entryPoint") or next(iter(made["inputs"])))
    return source.stem + Path(output).suffix


def _remove_others(out, names):
    """Remove the bundles of other stamps, and what an interrupted run left."""
    kept = {manifest.NAME, ".gitignore", *names, *(f"{name}.map" for name in names)}
    for path in out.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()
