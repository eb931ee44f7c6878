"""The forms an inventory is written in, one module each: ``write(report, out)``."""
