"""From a section to a credential: each of .NET's contracts, and what only azcert can say."""
