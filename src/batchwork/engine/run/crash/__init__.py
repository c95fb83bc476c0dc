"""What a crash costs, and what a resume does first about the processes of the execution that died."""
