"""BUILD    graph, fingerprints, keys, cache, engine, runs, interpreters."""
