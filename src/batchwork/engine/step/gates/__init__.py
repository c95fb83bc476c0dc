"""What holds up or ends a step: each gate is asked in the same loop, one file each."""
