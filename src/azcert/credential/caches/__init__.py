"""Where tokens may be kept; each cache is one small object behind one interface."""
