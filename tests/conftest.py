from __future__ import annotations

from hypothesis import settings

# Tests are never timed: a busy machine is no failure, and a hang is ended by the run's own limit.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
