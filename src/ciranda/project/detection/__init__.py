"""What a repository that is there already has: found from its listing and its small files, nothing is imported or run."""
