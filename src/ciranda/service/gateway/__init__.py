"""The gateway: one process that passes each request to an instance by the routes in force."""
