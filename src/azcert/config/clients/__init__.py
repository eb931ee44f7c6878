"""From a section to the call that makes a client of any Azure package."""
