"""The endpoints, one module a noun. Each takes an `Exchange` and answers it."""
