"""Errors of the Python client."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "client.answer-unreadable": "{url} gives answers that are not a desk's; is the address right?",
    "client.desk-unreachable": "The desk at {url} does not answer: {why}.",
    "client.reassign-unclear": "Name cases, or --from the owner of all of them; not both.",
    "client.token-invalid": "The token holds characters that no token has.",
    "client.token-missing": "Put the API token into the environment variable KEEPWELL_TOKEN.",
    "client.url-invalid": "{url!r} is not the address of a desk; expected https://host.",
    "client.user-missing": (
        "Say as whom: --as LOGIN for the desk of this workspace, or --url for a server."
    ),
}
