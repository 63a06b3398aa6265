//! Everything a user sees, through the real binary: HTTP and the command line. One binary; each test on its own
//! service, directory and port.

#![expect(clippy::expect_used, reason = "a test reports by panicking")]

mod as_of;
mod audit;
mod audit_address;
mod audit_export;
mod audit_reads;
mod authentication;
mod backup;
mod catalog;
mod clients;
mod command_line;
mod compatibility;
mod concurrency;
mod configuration;
mod control_socket;
mod crash;
mod database_backup;
mod database_tls;
mod docs;
mod doctor;
mod environments;
mod erasure;
mod faults;
mod help;
mod idempotency;
mod kurrentdb;
mod leaked_secrets;
mod limits;
mod lists;
mod long_exports;
mod members;
mod migrate_log;
mod model;
mod nodes;
mod oauth;
mod old_shapes;
mod openapi;
mod operation;
mod pages;
mod passwords;
mod payloads;
mod permissions;
mod rebuild;
mod redirects;
mod responsibilities;
mod rolling_upgrade;
mod secrecy;
mod secrets;
mod session;
mod slow_senders;
mod tls;
mod token_ends;
mod tokens;
mod verification;
