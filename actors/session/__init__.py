"""Sessions: one user's isolated stay on a device, and everything it holds there."""
