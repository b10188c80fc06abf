"""What audits are due, what of it is read today, what of it is late and why, and the year ahead."""
