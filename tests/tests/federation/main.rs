//! Servers and sites over cells that meet in memory: membership, jobs, tasks, sites in a tree.

mod children;
mod hub;
mod job;
mod jobs;
mod membership;
