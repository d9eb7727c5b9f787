//! A site of the federation: the Communicator, the task loop and the outbox of results.

pub mod outbox;
