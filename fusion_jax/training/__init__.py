"""Floor 4: tasks, optimisation, fleets, learners, checkpoints."""
