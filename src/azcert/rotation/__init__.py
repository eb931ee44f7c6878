"""One certificate replaced by the next, with no moment in which a sign-in fails.

`plan` says what comes next, from the `journal` alone; `run` does it. `place` and `places` are where keys and
certificates are, `registrar` changes the application, `prover` signs in. `record` keeps the journal on one
host; `shared_record`, with `lease` and `sealed_note`, between several.
"""
