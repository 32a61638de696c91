"""LOOP     carries one change from commit to production: a durable state machine that calls downwards."""
