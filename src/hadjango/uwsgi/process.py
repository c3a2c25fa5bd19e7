"""This process as uWSGI runs it: its title, what each worker does first, the worker's id in the request log, where it hangs."""

import faulthandler
import signal


def server():
    """Return the module that uWSGI puts into the interpreters it starts, or None in any other interpreter.

    That the import works proves nothing: a directory of that name in the project is imported as a namespace package.
    """
    try:
        import uwsgi
    except ImportError:
        return None
    return uwsgi if hasattr(uwsgi, "worker_id") else None


def tell_where_it_hangs():
    """Have this process and its forks write the main thread's stack into the log when they get the last real-time signal.

    uWSGI and Python use no signal so high. The stack is written by C code, hence also while a C function does not return.
    """
    faulthandler.register(signal.SIGRTMAX, all_threads=False)


def adopt(uwsgi, application, build, *after_fork):
    """Make this process one of the build's and return the application to serve.

    With lazy-apps each worker loads the application for itself. Otherwise the master does, and the workers are forked
    from it later.
    """
    if uwsgi.worker_id() > 0:
        name_worker(uwsgi, build)
    else:
        uwsgi.setprocname(f"uwsgi master {build}")
        call_after_fork(uwsgi, lambda: name_worker(uwsgi, build), *after_fork)
    return with_worker_id(uwsgi, application)


def name_worker(uwsgi, build):
    """Set a worker's title, so that ps tells which build it serves; mules and spoolers, worker 0, keep uWSGI's title."""
    worker = uwsgi.worker_id()
    if worker > 0:
        uwsgi.setprocname(f"uwsgi worker {worker} {build}")


def call_after_fork(uwsgi, *hooks):
    """Have every process that is forked from this one call the hooks, and then what was to be called before.

    uWSGI has room for one function only, and the project's own may stand there, put by uwsgidecorators for one: hence this
    is called when the project is loaded. The project's comes last, as it may open the connections that ours close.
    """
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def post_fork_hook():
        for hook in (*hooks, earlier) if earlier else hooks:
            hook()

    uwsgi.post_fork_hook = post_fork_hook


def with_worker_id(uwsgi, application):
    """Return the application with %(worker_id) set for the log of each request; what it returns is handed on untouched."""

    def logged(environ, start_response):
        uwsgi.set_logvar("worker_id", str(uwsgi.worker_id()))
        return application(environ, start_response)

    return logged
