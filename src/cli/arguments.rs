//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use domain::{ClientId, EnvironmentName};
use projections::as_of::Moment;
use server::export::Format;
use url::Url;

use crate::exit;

/// An event-sourced, audit-first registry of OAuth clients and the authorization server they use.
#[derive(Debug, Parser)]
#[command(name = "muniment", version, propagate_version = true, after_help = exit::ALL)]
pub struct Arguments {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service; fill an empty data directory first
    #[command(after_help = exit::OF_TOKENS)]
    Serve(Serve),
    /// Fill an empty data directory and stop
    #[command(after_help = exit::OF_TOKENS)]
    Init(Init),
    /// Issue a new token to an administrator who has lost theirs, or make a member one
    #[command(after_help = exit::OF_TOKENS)]
    Recover(Recover),
    /// Enrol members, give them passwords, list them
    #[command(after_help = exit::OF_OUTPUT)]
    Member(Member),
    /// Send a request to the API as who you are on this host, without a token
    #[command(after_help = exit::OF_OUTPUT)]
    Api(Api),
    /// Bring the database of a log to the schema of this program
    ///
    /// `--log` is the database with the role that owns it, and the log from then on; the service has another role, and refuses
    /// to run with this one.
    #[command(after_help = exit::OF_OUTPUT)]
    Migrate(Migrate),
    /// Copy log and keys of an instance, whether or not the service runs
    #[command(after_help = exit::OF_OUTPUT)]
    Backup(Backup),
    /// Make an instance of a back-up, in an empty data directory
    #[command(after_help = exit::OF_OUTPUT)]
    Restore(Restore),
    /// Move log, activity and keys to another place, as they are, while nobody serves from either
    ///
    /// What is there already is not copied again: a move that was cut off goes on. Until every row of both places was read and
    /// found the same, nobody can serve from the new one; the old one is never changed.
    #[command(after_help = exit::OF_MIGRATE_LOG)]
    MigrateLog(MigrateLog),
    /// Take the audit out, in the order of the log: what an auditor's own tools read
    ///
    /// It reads the files, beside the service or without it, and the log gets no record of it. An export that must be
    /// recorded is one of the API: `muniment api GET '/api/v1/audit/export?format=ndjson'`.
    #[command(after_help = exit::OF_OUTPUT)]
    Export(Export),
    /// Fold the log again and show the clients as they were, or verify that the live views equal it
    #[command(after_help = exit::OF_VIEWS)]
    Replay(Replay),
    /// How the views stand; fold them again
    #[command(after_help = exit::OF_REBUILD)]
    Projections(Projections),
    /// Look at an instance and say what is wrong with it
    #[command(after_help = exit::OF_DOCTOR)]
    Doctor(Doctor),
    /// What is set, where it was set, and what is wrong with it
    #[command(name = "config", after_help = exit::OF_OUTPUT)]
    Configuration(Configuration),
    /// Print the completions of a shell
    #[command(after_help = exit::OF_OUTPUT)]
    Completions(Completions),
    /// Print the manual page, or write one for each command
    #[command(after_help = exit::OF_OUTPUT)]
    Man(Manual),
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(Serve::default())
    }
}

/// Where an instance is.
#[derive(Args, Clone, Debug, Default)]
pub struct Place {
    /// Configuration file [default: ./muniment.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of log, keys and views [default: ./muniment-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// File of the master key; keep it outside the data directory [default: the data directory's name with .key]
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Where the log is kept: `embedded`, in the data directory, or the URL of a database or a server of events [default: embedded]
    #[arg(long, value_name = "URL")]
    pub log: Option<String>,
}

/// Arguments of `serve`.
#[derive(Args, Debug, Default)]
pub struct Serve {
    #[command(flatten)]
    pub place: Place,
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The address that clients use; issuer and endpoint URLs are made from it [default: the address listened on]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<Url>,
    /// Where the first administrator's token is written, once [default: shown on a terminal, else bootstrap-token in the data directory]
    #[arg(long, value_name = "FILE")]
    pub bootstrap_token_file: Option<PathBuf>,
    /// File of the password that the first administrator begins with; read only while there is none
    #[arg(long, value_name = "FILE")]
    pub bootstrap_password_file: Option<PathBuf>,
}

/// Arguments of `init`.
#[derive(Args, Debug)]
pub struct Init {
    #[command(flatten)]
    pub place: Place,
    /// Where the first administrator's token is written, once
    #[arg(long, value_name = "FILE")]
    pub bootstrap_token_file: Option<PathBuf>,
    /// File of the password that the first administrator begins with
    #[arg(long, value_name = "FILE")]
    pub bootstrap_password_file: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `recover`.
#[derive(Args, Debug)]
pub struct Recover {
    #[command(flatten)]
    pub place: Place,
    /// Which member; needed only unless there is exactly one administrator
    #[arg(long, value_name = "MEMBER_ID")]
    pub member: Option<String>,
    /// Where the new token is written, once
    #[arg(long, value_name = "FILE")]
    pub bootstrap_token_file: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `member`.
#[derive(Args, Debug)]
pub struct Member {
    #[command(subcommand)]
    pub command: MemberCommand,
}

/// What `member` can do.
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Enrol a member
    #[command(after_help = exit::OF_OUTPUT)]
    Create(CreateMember),
    /// Give a member a password, in place of the one that it has
    #[command(after_help = exit::OF_OUTPUT)]
    SetPassword(SetPassword),
    /// List members, newest first: what they may do; who they are is sealed
    #[command(after_help = exit::OF_OUTPUT)]
    List(Verify),
}

/// Arguments of `member create`.
#[derive(Args, Debug)]
pub struct CreateMember {
    #[command(flatten)]
    pub place: Place,
    /// Where mail reaches the member; unique among members
    #[arg(long)]
    pub email: String,
    /// Who it is
    #[arg(long)]
    pub name: String,
    /// What it may do: administrator, integration_manager or auditor; may be repeated
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub roles: Vec<String>,
    /// File of the password that it can sign in with; the end of its last line is no part of it
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub why: Why,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `member set-password`.
#[derive(Args, Debug)]
pub struct SetPassword {
    #[command(flatten)]
    pub place: Place,
    /// Where mail reaches the member
    #[arg(long, required_unless_present = "member")]
    pub email: Option<String>,
    /// The member by its id
    #[arg(long, value_name = "MEMBER_ID", conflicts_with = "email")]
    pub member: Option<String>,
    /// File of the password; the end of its last line is no part of it
    #[arg(long, value_name = "FILE")]
    pub password_file: PathBuf,
    #[command(flatten)]
    pub why: Why,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Why a command is given.
#[derive(Args, Debug, Default)]
pub struct Why {
    /// Why, in free text; sealed
    #[arg(long)]
    pub reason: Option<String>,
    /// Why, as a public reference to a case elsewhere
    #[arg(long)]
    pub ticket: Option<String>,
}

/// Arguments of `api`.
#[derive(Args, Debug)]
pub struct Api {
    #[command(flatten)]
    pub place: Place,
    /// GET, POST, PUT, PATCH or DELETE
    pub method: String,
    /// The path, with its query: /api/v1/audit/events?limit=10
    pub path: String,
    /// The JSON body; @FILE reads it from a file, @- from standard input
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,
    /// A further header, like 'If-Match: *'; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Show status and headers of the answer first
    #[arg(long)]
    pub include: bool,
    /// One JSON object with status, headers and body
    #[arg(long, conflicts_with = "include")]
    pub json: bool,
}

/// Arguments of `backup`.
#[derive(Args, Debug)]
pub struct Backup {
    #[command(flatten)]
    pub place: Place,
    /// New or empty directory for the log
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// New or empty directory for the keys: keep it apart from the log, and for a short time only
    #[arg(long, value_name = "DIR")]
    pub keys_to: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `migrate`.
#[derive(Args, Debug)]
pub struct Migrate {
    #[command(flatten)]
    pub place: Place,
    /// The role of the service: it is granted what it needs, which is to change nothing that is recorded
    #[arg(long, value_name = "ROLE", default_value = "muniment_app")]
    pub application_role: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `restore`.
#[derive(Args, Debug)]
pub struct Restore {
    #[command(flatten)]
    pub place: Place,
    /// The log's directory of a back-up
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The keys' directory of the same back-up, or of a younger one
    #[arg(long, value_name = "DIR")]
    pub keys_from: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `migrate-log`.
#[derive(Args, Debug)]
pub struct MigrateLog {
    /// Where it is: `embedded:` and a data directory, or the URL of a database or a server of events
    #[arg(long, value_name = "PLACE", required_unless_present = "from_file")]
    pub from: Option<String>,
    /// File that holds the URL of where it is, which can be a secret
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub from_file: Option<PathBuf>,
    /// Beside a server of events: `embedded:` and the data directory of its one node, or the URL of the database of several
    #[arg(long, value_name = "PLACE")]
    pub from_companion: Option<String>,
    /// File that holds the URL of the companion
    #[arg(long, value_name = "FILE", conflicts_with = "from_companion")]
    pub from_companion_file: Option<PathBuf>,
    /// Beside a companion in a database: the data directory of a node that was stopped, or an empty one
    #[arg(long, value_name = "DIR")]
    pub from_node: Option<PathBuf>,
    /// The stream on a server of events [default: muniment-log]
    #[arg(long, value_name = "STREAM")]
    pub from_stream: Option<String>,
    /// Where it goes: `embedded:` and a data directory, the URL of a migrated database, of the role that owns it, or a server
    /// of events; empty
    #[arg(long, value_name = "PLACE", required_unless_present = "to_file")]
    pub to: Option<String>,
    /// File that holds the URL of where it goes
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub to_file: Option<PathBuf>,
    /// Beside a server of events: `embedded:` and the data directory that its one node will have, or the URL of a migrated
    /// database for several, of the role that owns it
    #[arg(long, value_name = "PLACE")]
    pub to_companion: Option<String>,
    /// File that holds the URL of the companion
    #[arg(long, value_name = "FILE", conflicts_with = "to_companion")]
    pub to_companion_file: Option<PathBuf>,
    /// Beside a companion in a database: the data directory that the first node will have
    #[arg(long, value_name = "DIR")]
    pub to_node: Option<PathBuf>,
    /// The stream on a server of events [default: muniment-log]
    #[arg(long, value_name = "STREAM")]
    pub to_stream: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `export`.
#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    pub place: Place,
    /// What it is written as
    #[arg(long, default_value = Format::Ndjson.as_str(), value_parser = format())]
    pub format: Format,
    /// The first position [default: 1]
    #[arg(long, value_name = "POSITION")]
    pub from: Option<u64>,
    /// The last position [default: the end of the log]
    #[arg(long, value_name = "POSITION")]
    pub to: Option<u64>,
    /// A new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The address that clients use; CloudEvents name it as their source [default: as for `serve`]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<Url>,
    /// One JSON object about the file
    #[arg(long, requires = "out")]
    pub json: bool,
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str)).try_map(|name| name.parse::<Format>())
}

fn moment(text: &str) -> Result<Moment, &'static str> {
    text.parse().map_err(|_| "it must be a position or an RFC 3339 time like 2026-11-20T22:13:25Z")
}

fn environment(text: &str) -> Result<EnvironmentName, String> {
    EnvironmentName::parse(text).map_err(|(_, rule)| rule)
}

/// Arguments of `replay`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Replay {
    #[command(subcommand)]
    pub command: Option<ReplayCommand>,
    #[command(flatten)]
    pub place: Place,
    /// Up to this moment of the log: an RFC 3339 time or a position [default: the end of the log]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub at: Option<Moment>,
    /// Only this environment
    #[arg(long, value_name = "NAME", value_parser = environment)]
    pub environment: Option<EnvironmentName>,
    /// Only this client, whole
    #[arg(long, value_name = "CLIENT_ID")]
    pub client: Option<ClientId>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// What `replay` can do beside showing.
#[derive(Debug, Subcommand)]
pub enum ReplayCommand {
    /// Verify the log, fold it again and compare the live views row by row
    #[command(after_help = exit::OF_VERIFY)]
    Verify(Verify),
    /// What became of a client between two moments
    #[command(after_help = exit::OF_OUTPUT)]
    Difference(ClientDifference),
}

/// Arguments of `replay difference`.
#[derive(Args, Debug)]
pub struct ClientDifference {
    #[command(flatten)]
    pub place: Place,
    /// Which client
    #[arg(long, value_name = "CLIENT_ID")]
    pub client: ClientId,
    /// The earlier moment: an RFC 3339 time or a position
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub from: Moment,
    /// The later moment [default: the end of the log]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub to: Option<Moment>,
    /// One JSON object, as the API tells it
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay verify`.
#[derive(Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    pub place: Place,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `projections`.
#[derive(Args, Debug)]
pub struct Projections {
    #[command(subcommand)]
    pub command: ProjectionsCommand,
}

/// What `projections` can do.
#[derive(Debug, Subcommand)]
pub enum ProjectionsCommand {
    /// How far each view has come
    #[command(after_help = exit::OF_VIEWS)]
    Status(Verify),
    /// Fold all views into a new file, compare, and put it in place of the old one
    #[command(after_help = exit::OF_REBUILD)]
    Rebuild(Verify),
}

/// Arguments of `config`.
#[derive(Args, Debug)]
pub struct Configuration {
    #[command(subcommand)]
    pub command: ConfigurationCommand,
}

/// What `config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigurationCommand {
    /// Name everything that is wrong with the configuration, and where it was set
    #[command(after_help = exit::OF_OUTPUT)]
    Check(Verify),
    /// Show every setting with where it came from; secrets are not shown
    #[command(after_help = exit::OF_OUTPUT)]
    Show(Verify),
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct Manual {
    /// Directory for one page a command
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    pub place: Place,
    /// Ask the server of events that `--log` names for all that a log relies on, and look at nothing else. It makes eleven
    /// streams there, `muniment_check-…`, which stay
    #[arg(long)]
    pub check_server: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}
