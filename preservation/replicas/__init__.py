"""Replicas: copying one AIP version into a store, proving it there, repairing it, and giving it back."""
