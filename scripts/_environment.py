"""Make the project's own environment, and continue in it.

Needs nothing but Python's standard library, and must parse on an old Python
so that it can say which one is needed.
"""

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPTS = os.path.join(ROOT, "scripts")
VENV = os.path.join(ROOT, ".venv")
LOCKS = ("requirements.txt", os.path.join("tests", "requirements.txt"))
MINIMUM = (3, 11)


def stop(message):
    """Print a sentence and end with status 2."""
    sys.stderr.write(message.rstrip() + "\n")
    sys.exit(2)


def enter(tests):
    """Make sure that ``.venv`` holds what the locks say, and run in it.

    With ``tests``, what checks and tests need is installed too.
    """
    if sys.version_info < MINIMUM:
        stop(
            "Python %d.%d or newer is needed; this is %s (%s)."
            % (MINIMUM + (sys.version.split()[0], sys.executable))
        )
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    if os.environ.get("HANDBOOK_ENVIRONMENT") == VENV:
        sys.path.insert(0, SCRIPTS)
        return
    python = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")
    if not _runs(python):
        _create(python)
    _install(python, LOCKS if tests else LOCKS[:1])
    environment = dict(os.environ, HANDBOOK_ENVIRONMENT=VENV)
    command = [python, os.path.abspath(sys.argv[0])] + sys.argv[1:]
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    os.execve(python, command, environment)


def _runs(python):
    """Tell whether the environment's Python starts and is new enough."""
    test = "import sys; sys.exit(sys.version_info < %r)" % (MINIMUM,)
    try:
        return subprocess.call([python, "-c", test], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def _create(python):
    sys.stderr.write("Making an environment in .venv ...\n")
    result = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if result.returncode or not _runs(python):
        stop(
            "Python's venv module does not work here. On Debian and Ubuntu, install "
            "it with:\n    apt-get install python3-venv\nIt said:\n" + result.stdout
        )


def _install(python, locks):
    digest = hashlib.sha256()
    for lock in locks:
        with open(os.path.join(ROOT, lock), "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(VENV, "installed-%d" % len(locks))
    try:
        with open(stamp) as file:
            if file.read() == digest.hexdigest():
                return
    except (IOError, OSError):
        pass
    sys.stderr.write("Installing %s (a minute, once) ...\n" % " and ".join(locks))
    command = [python, "-m", "pip", "install", "--quiet", "--require-hashes"]
    # The locks are complete. Resolving again would look at newer releases,
    # and refuse the whole set for an extra that the lock does not name.
    command += ["--no-deps", "--disable-pip-version-check"]
    command += ["--no-warn-script-location"]
    for lock in locks:
        command += ["-r", os.path.join(ROOT, lock)]
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if result.returncode:
        lines = [line for line in result.stdout.split("\n") if "WARNING" not in line]
        stop(
            "The packages could not be installed; is the network there? pip said:\n"
            + "\n".join(lines[-15:])
        )
    with open(stamp, "w") as file:
        file.write(digest.hexdigest())
