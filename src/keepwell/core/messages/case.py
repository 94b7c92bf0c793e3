"""Errors of the desk: cases and contacts."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "case.assignee-unsighted": (
        "{staff} does not see this client; choose somebody who does, or reassign the case."
    ),
    "case.batch-old": "This reassignment is older than 24 hours and stays.",
    "case.batch-undone": "This reassignment was undone already.",
    "case.batch-unknown": "There is no such reassignment of yours.",
    "case.case-closed": "The case is closed; reopen it first.",
    "case.case-live": "The case {case} about this client and reason is live; work on that one.",
    "case.case-unknown": "There is no such case, or it is not yours to see.",
    "case.file-damaged": "The content of file {file} is missing or damaged; tell an administrator.",
    "case.file-empty": "The file is empty.",
    "case.file-large": "The file is larger than {limit} MB.",
    "case.file-unacceptable": "By its bytes the file is none of the acceptable types: {known}.",
    "case.file-unknown": "The case has no such file.",
    "case.file-unnamed": "The file needs a name: one line, up to 200 characters.",
    "case.move-backward": "A case only goes forward: not from {old} to {new}.",
    "case.note-unknown": "The case has no such note.",
    "case.plan-changed": "Nothing was reassigned, because these changed since: {cases}.",
    "case.plan-done": "This plan was carried out already, as {batch}.",
    "case.plan-old": "The plan is older than 15 minutes; make a new one.",
    "case.plan-unknown": "There is no such plan of yours.",
    "case.profiling-refused": (
        "The client refuses profiling (rule PI-4): no case may come from the score."
    ),
    "case.reason-mismatch": "The reason {reason} does not belong to the outcome {outcome}.",
    "case.reopen-late": "It was closed more than {days} days ago; open a new case instead.",
    "case.staff-unknown": "Not active staff of your scope: {staff}.",
    "case.task-unknown": "The case has no such task.",
    "contact.at-future": "A contact is recorded after it was made, not before.",
    "contact.complaint-open": (
        "A complaint is open: only service contacts, none to keep the client (rule CT-2)."
    ),
    "contact.contact-unknown": "There is no such contact, or it is not yours to see.",
    "contact.consent-missing": ("There is no consent to such contacts on record (rule CT-1)."),
    "contact.delivery-early": "It cannot have arrived or failed before it was sent.",
    "contact.delivery-inbound": "The client began this contact; there is nothing to deliver.",
    "contact.exit-contacted": (
        "The client asks to leave and was contacted once about it already (rule R-EXIT-3)."
    ),
    "contact.exit-completed": "The client has left; nobody tries to keep them (rule R-EXIT-3).",
    "contact.exit-refused": "The client said no to any contact about leaving (rule R-EXIT-3).",
    "contact.marketing-refused": "The client refuses such contacts (rule CT-1).",
    "contact.profiling-refused": (
        "The client refuses profiling; nothing may follow from the score (rule PI-4)."
    ),
    "contact.quiet-hours": "It is quiet time, from {since} to {until} (rule CT-1).",
    "contact.service-refused": (
        "The client refuses service messages, and nothing is open that needs one (rule CT-1)."
    ),
}
