"""Trust guards every door: access, the book of clients, evidence, consent."""
