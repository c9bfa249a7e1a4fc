"""The raw REPL as pure protocol: no clock, thread or socket in this room.

    table         the states and their legal moves
    machine       bytes -> events
    frames        numbered calls and their answers
    values        Python values <-> the text of arguments and results
    agent         what runs on the device (device_values: its half of the values)
    conversation  one step at a time with a device
    procedures    calls of any length, as generators of steps (once: one line, at most once)
    keeping       what the agent keeps for sessions, and gives back
    ladder        the way back from a fault

Import names from their modules.
"""
