"""The ledger of one client: all that was decided and done, replayed and found in the evidence."""
