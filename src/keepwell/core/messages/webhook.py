"""Errors of the desk: webhooks."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "webhook.address-refused": (
        "{host!r} is not in the public internet, and webhooks go nowhere else."
    ),
    "webhook.endpoint-off": (
        "The webhook is off ({reason}); switch it on first, then its messages can be sent."
    ),
    "webhook.endpoint-unapproved": "Compliance has not approved the webhook yet.",
    "webhook.endpoint-unknown": "There is no such webhook.",
    "webhook.instant-naive": "Give the instant with its time zone, such as 2026-03-04T10:00+08:00.",
    "webhook.message-pending": "Message {id} is still being tried.",
    "webhook.message-unknown": "The webhook has no such message, or no longer.",
    "webhook.pattern-unknown": (
        "No event matches {pattern!r}; nearest: {nearest}. GET /api/v1/webhook-events lists them."
    ),
    "webhook.scheme-refused": "A webhook's address begins with https://, not {scheme}.",
    "webhook.url-invalid": (
        "The webhook's address is not acceptable: https://host/path, without log-in or #."
    ),
}
