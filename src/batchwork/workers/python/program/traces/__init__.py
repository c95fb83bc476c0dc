"""What units leave behind in their worker, found and put right before the next one."""
