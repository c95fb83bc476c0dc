"""Running a plan: steps in their order, the items of one step, what stops them. Concrete workers and stores are handed in."""
