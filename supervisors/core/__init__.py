"""What a supervisor decides, as data and pure functions: no clock, thread or actor here."""
