//! Tests of the crate from outside: golden data, attacks, properties, secrets in the log, fuzz corpora.

mod attacks;
mod golden;
mod identity;
mod limits;
mod properties;
mod secrets;
mod support;
