"""What people are told of a run: its report, incidents, digests, notices, and the alarm when none ran."""
