"""What every test may use."""

from hypothesis import HealthCheck, settings

pytest_plugins = ("support.kernel",)

# Time is measured by benchmarks: on a busy machine a slow example is no failure. Fixtures that all examples of a test share
# are wanted: a ledger takes longer to make than to empty.
settings.register_profile(
    "ciranda", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("ciranda")
