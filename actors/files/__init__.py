"""The device's files: what is sent for them, the plan of a sync, and its manifest; pure."""
