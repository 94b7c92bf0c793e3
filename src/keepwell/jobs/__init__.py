"""Durable jobs: one table, leases, timers, outbox, recurring work."""
