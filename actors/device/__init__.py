"""The Device actor: one reader, one queue, one conversation, and the way back after faults."""
