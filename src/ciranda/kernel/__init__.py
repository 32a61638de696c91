"""KERNEL   store, digest, database, events, tasks, lease, process, clock, errors.

No DevOps word: each file could be a library of its own.
"""
