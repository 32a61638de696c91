"""Windows over what was collected, beside what it should look like: references, looks, and the episodes in which a column drifts."""
