//! One file a command.

pub mod api;
pub mod doctor;
pub mod init;
pub mod member;
pub mod projections;
pub mod recover;
pub mod replay;
pub mod serve;
