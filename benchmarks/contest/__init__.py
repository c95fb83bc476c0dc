"""Works that programs do in turns, batchwork beside others, and what their figures say."""
