"""RELEASE  the manifest: what would run and nothing else."""
