"""A client for programs and people who script the desk.

    from keepwell.client import Desk

    with Desk("https://desk.example.com", token) as desk:
        for case in desk.cases(state="open"):
            print(case.case_id, case.tier, case.next_due_at)

It needs nothing of the desk but its address and a token, and imports no database.
"""

from __future__ import annotations

from keepwell.client.desk import Desk
from keepwell.client.errors import ChangedMeanwhile, DeskError, Fault, RequestRefused
from keepwell.client.item import Item

__all__ = ["ChangedMeanwhile", "Desk", "DeskError", "Fault", "Item", "RequestRefused"]
