//! One file a command.

pub mod doctor;
pub mod init;
pub mod projections;
pub mod recover;
pub mod replay;
pub mod serve;
