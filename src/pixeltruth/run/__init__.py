"""Running a job: the process that asks, the worker process that renders, and what they write down."""
