"""A release enters by steps: which share of the requests it gets, what the judge says of it, and what comes next."""
