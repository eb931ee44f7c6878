"""From files, variables and code to settings that remember where they were written."""
