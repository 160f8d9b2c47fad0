"""What a flow is made of: tasks, each one change to the world that can be taken back."""
