"""The session manager: devices, sessions and standing programs, as one tree."""
