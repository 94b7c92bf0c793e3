"""The hold-out: who gets no retention contact, drawn before any alert."""
