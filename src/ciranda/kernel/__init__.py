"""KERNEL   store, digest, database, events, tasks, lease, process, clock, errors: no DevOps word; each file could be a library of its own."""
