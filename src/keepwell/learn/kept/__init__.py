"""What was kept, in clients and money, proved from the hold-out; the budget that rests on it."""
