//! Stories of partition groups.
