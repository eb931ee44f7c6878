"""The pytest fixture that gives a test the emulator."""
