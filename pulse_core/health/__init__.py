"""What the processes of an installation say about themselves: that they live, and when each sweep last ran."""
