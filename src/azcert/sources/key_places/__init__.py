"""One file per place in which a key is made and its certificate put beside it."""
