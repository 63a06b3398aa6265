//! One file a command.

pub mod api;
pub mod backup;
pub mod configuration;
pub mod doctor;
pub mod export;
pub mod generate;
pub mod init;
pub mod member;
pub mod migrate;
pub mod migrate_log;
pub mod projections;
pub mod recover;
pub mod replay;
pub mod restore;
pub mod serve;
