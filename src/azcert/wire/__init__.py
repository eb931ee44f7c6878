"""The only client-side HTTP: flows run through azure-core pipelines."""
