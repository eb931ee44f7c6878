"""Azure Resource Manager, as far as finding a vault and assigning its roles."""
