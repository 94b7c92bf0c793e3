"""Errors of access: log-in, tokens, permissions, users."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "access.admin-last": "Nobody would be left to administer; make another administrator first.",
    "access.client-unknown": "There is no such client, or they are not yours to see.",
    "access.export-too-large": "The list has more than {limit} rows; narrow it with filters.",
    "access.field-banded": "You see assets in bands only, so you cannot sort or filter by them.",
    "access.log-in-busy": "Too many people are logging in; try again in a few seconds.",
    "access.log-in-failed": "Log-in name or password is wrong.",
    "access.log-in-needed": "Log in, or send a token: Authorization: Bearer kw_….",
    "access.log-in-paused": "Too many failed attempts; try again in {seconds} seconds.",
    "access.login-taken": "There is a user {login!r} already.",
    "access.password-change-needed": "Change your password first.",
    "access.password-length": "A password has {shortest} to {longest} characters.",
    "access.password-none": "A program has no password; give it a token.",
    "access.password-weak": (
        "The password is too easily guessed: use at least 5 different characters and not the "
        "log-in name."
    ),
    "access.password-wrong": "The present password is wrong.",
    "access.login-unknown": "There is no active user {login!r}.",
    "access.permission-missing": "This needs the permission {permission}, which you do not have.",
    "access.place-missing": "There is no {what} {number!r} to belong to.",
    "access.place-taken": "There is a {what} {number!r} already.",
    "access.place-unknown": "There is no {what} {number!r}.",
    "access.scope-wider": "The scope {scope} is wider than the role {role} may have.",
    "access.session-over": "The session is over; log in again.",
    "access.site-foreign": "Another site sent this request; it was not carried out.",
    "access.staff-needed": "The scope {scope} needs the person's own number: staff_id.",
    "access.staff-taken": "The staff number {staff_id!r} has a user already.",
    "access.staff-unknown": "There is no member of staff {staff_id!r}.",
    "access.token-end": "A token ends later than now and at most {days} days ahead.",
    "access.token-foreign": "Only programs get tokens from others; people make their own.",
    "access.token-invalid": "The token is not valid, or no longer.",
    "access.token-permissions": (
        "A token may do something, and only what its user may; not: {permissions}."
    ),
    "access.token-unknown": "There is no such token.",
    "access.token-wider": "A token cannot make one that may do more than itself.",
    "access.user-unknown": "There is no such user.",
    "request.answer-secret": (
        "The request was carried out before; its answer held a secret, which is shown only once."
    ),
    "user.login-invalid": (
        "{login!r} is not a log-in name: lower-case letters, digits and . _ @ - are."
    ),
    "user.word-unknown": "There is no {word!r}; nearest: {nearest}. Known: {known}.",
    "request.state-conflict": "Somebody else did something at the same time; try again.",
}
