"""What pages show beyond the desk's own rows: histories of clients and totals of the broker.

Written once per publication as small sorted files (`write.write_panels`), read in milliseconds
(`read.Panels`). Neither needs a database or a web framework.
"""
