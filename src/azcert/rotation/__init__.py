"""One certificate replaced by the next, with no moment in which a sign-in fails."""
