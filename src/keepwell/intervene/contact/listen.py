"""What contacts tell other rooms: how the proof of what was kept reads them."""

from keepwell.intervene.contact.spent import retention_contacts

__all__ = ["retention_contacts"]
