"""The grammar of sources: parsed and printed, nothing opened."""
