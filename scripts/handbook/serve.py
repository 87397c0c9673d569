"""Serve the handbook with live reload."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

from .build import ROOT, environment


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(argv)
    address = f"{options.host}:{options.port}"
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        print(
            f"{address} cannot be used ({getattr(error, 'strerror', None) or error}). "
            f"Give another: ./scripts/serve --port {_free(options.host)}",
            file=sys.stderr,
        )
        return 2
    print(f"The handbook: http://{address}/  (Ctrl+C ends it)", flush=True)
    command = [sys.executable, "-m", "mkdocs", "serve", "--dev-addr", address]
    # What pages are made from lies in docs/, and in the code that reads them.
    command += ["--watch", "scripts/handbook", "--watch", "overrides"]
    try:
        return subprocess.call(command, cwd=ROOT, env=environment())
    except KeyboardInterrupt:
        return 0


def _free(host: str) -> int:
    """Return a port that is free now."""
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return probe.getsockname()[1]
    except OSError:
        return 8001
