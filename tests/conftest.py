"""What holds for every test: chance is repeatable and a busy machine is no failure."""

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is; print_blob gives what repeats a failure elsewhere.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("any machine")
