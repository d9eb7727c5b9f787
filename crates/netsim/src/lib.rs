//! A seeded link emulator with virtual time, and the harness of two and of many nodes built on it.
