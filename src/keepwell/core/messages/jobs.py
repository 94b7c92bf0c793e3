"""Errors of the desk: jobs, serving and workers."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "jobs.job-alive": "The job is {state}; only a dead job can be run again.",
    "jobs.job-unknown": "There is no such job.",
    "jobs.key-taken": "Another job for the same work is live; this one is not needed.",
    "serve.address-invalid": "Cannot listen on {host}, port {port}: {problem}.",
    "serve.address-open": (
        "Will not serve on {host} while session.secure is off: passwords and cookies would cross "
        "the network unprotected. Turn it on and put a proxy with https in front, or serve on "
        "127.0.0.1."
    ),
}
