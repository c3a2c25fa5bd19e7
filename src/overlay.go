// Package src holds the overlay: the Python package hadjango, which is laid over a project's own tree in every build.
//
// The overlay joins a project that knows nothing of hadjango to the build it runs in, without a changed line in the
// project:
//
//   - hadjango.settings takes over the project's settings and puts the build's own static and media files in them;
//   - hadjango.uwsgi.wsgi is the file that uWSGI loads: it gives the application its environment, loads it, does ahead
//     of the first request what Django leaves to it, and names each worker process after the build;
//   - hadjango.failures writes the traceback of a view that failed into the build's log;
//   - hadjango.build says which build the code runs in.
//
// It needs Python 3.9 or newer, the standard library, and Django where the project is a Django project.
//
// [Files] is to be written into the root of a build, over the project's files.
package src

import "embed"

// Files is the overlay, rooted like a build: hadjango/settings.py lands in the build as just that. It lists sources only,
// since a __pycache__ left by a test run must not become part of every build.
//
//go:embed hadjango/*.py hadjango/uwsgi/*.py
var Files embed.FS
