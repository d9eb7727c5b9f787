//! The coordinator: registration, tokens, jobs, task broadcast and aggregation.
