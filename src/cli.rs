//! The command line: a flag for each key, named exactly like it, and what the process is asked to do.

mod argument;
mod hints;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use self::argument::{argument, switch};
use crate::config::keys::{self, KEYS};
use crate::config::{
    Address, ConfigError, ConfigErrors, KeyKind, Loaded, RunMode, Sources, ValueOrigin, load, reference,
};

/// What the process is asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// Run, with this configuration.
    Run(Box<Loaded>),
    /// Ask the agent beside this process to drain, wait for that, and end.
    Shutdown(Box<Loaded>),
    /// Preview publishing.
    Plan(Box<Loaded>, Planned),
    /// Show the status of an agent.
    Status(Box<Loaded>, StatusRequest),
    /// Report that this configuration is valid, with warnings.
    Check(Box<Loaded>),
    /// Print this configuration to standard output and end.
    ShowConfig(String),
    /// Print this help, or this version, to standard output and end.
    Help(String),
}

/// What the subcommand `status` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusRequest {
    /// Address of the agent's HTTP server, if not that of this configuration.
    pub address: Option<Address>,
    /// As JSON.
    pub json: bool,
    /// Refresh until interrupted.
    pub watch: bool,
}

/// What the sub-command `plan` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The file, if not the one that `ProxySQL` has; `-` is standard input.
    pub file: Option<PathBuf>,
    /// As JSON.
    pub json: bool,
}

const SHOW_CONFIG: &str = "show-config";
const SHUTDOWN: &str = "shutdown";
const PLAN: &str = "plan";
const JSON: &str = "json";
const FILE: &str = "file";
const STATUS: &str = "status";
const ADDRESS: &str = "address";
const WATCH: &str = "watch";
const CHECK: &str = "check";

/// Width of the narrowest common terminal.
const COLUMNS: usize = 80;

/// What clap puts before the text of a flag.
const INDENT: usize = 10;

/// The command with all its flags. They are global: a subcommand takes them too.
pub fn command() -> Command {
    let flag = Arg::new(SHOW_CONFIG)
        .long(SHOW_CONFIG)
        .help("Print the effective configuration and the source of each value")
        .global(true);
    let command = Command::new("proxysql-agent")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .override_usage(
            "proxysql-agent --run_mode=<core|satellite|dump> [--KEY=VALUE]...\n       \
             proxysql-agent shutdown [--KEY=VALUE]...\n       \
             proxysql-agent plan [--file=FILE] [--json] [--KEY=VALUE]...\n       \
             proxysql-agent status [--address=HOST:PORT] [--json] [--watch]\n       \
             proxysql-agent check [--KEY=VALUE]...",
        )
        .subcommand(status())
        .subcommand(
            Command::new(CHECK)
                .about("Validate the configuration offline; exit 2 if invalid")
                .override_usage("proxysql-agent check [--KEY=VALUE]..."),
        )
        .subcommand(plan())
        .subcommand(
            Command::new(SHUTDOWN)
                .about("Drain and stop ProxySQL via its agent (for an exec preStop hook)")
                .override_usage("proxysql-agent shutdown [--KEY=VALUE]..."),
        )
        .after_help(
            "Every configuration key is also a flag: core.interval may be set by the flag\n\
             --core.interval, by the variable AGENT_CORE_INTERVAL, or in the YAML file that\n\
             AGENT_CONFIG_FILE names, else /etc/proxysql-agent/config.yaml, else\n\
             ./config.yaml. Flags override variables, variables override the file. An empty\n\
             variable counts as not set.\n\
             \n\
             Durations are seconds (30, 0.5) or have a unit (500ms, 30s, 5m).",
        )
        .args_override_self(true)
        .next_line_help(true)
        .disable_help_subcommand(true)
        .arg(switch(flag));
    KEYS.iter().fold(command, |command, key| command.arg(argument(key)))
}

fn status() -> Command {
    Command::new(STATUS)
        .about("Show agent status; exit 1 if unhealthy or degraded, 4 if unreachable")
        .override_usage("proxysql-agent status [--address=HOST:PORT] [--json] [--watch] [--KEY=VALUE]...")
        .arg(
            Arg::new(ADDRESS)
                .long(ADDRESS)
                .value_name("host:port")
                .value_parser(OsStringValueParser::new())
                .help("Address of the agent's HTTP server [default: api.address and api.port]"),
        )
        .arg(switch(Arg::new(JSON).long(JSON).help("Print as JSON")))
        .arg(switch(Arg::new(WATCH).long(WATCH).help("Refresh every two seconds")))
}

fn plan() -> Command {
    Command::new(PLAN)
        .about("Preview publishing (dry run); exit 3 if there are changes")
        .override_usage("proxysql-agent plan [--file=FILE] [--json] [--KEY=VALUE]...")
        .arg(
            Arg::new(FILE)
                .long(FILE)
                .value_name("file")
                .value_parser(OsStringValueParser::new())
                .allow_hyphen_values(true)
                .help("Of this file, - for standard input [default: the one that ProxySQL has]"),
        )
        .arg(switch(Arg::new(JSON).long(JSON).help("Print as JSON")))
}

/// Reads the command line (its first item is the program's name) and, for what needs it, the configuration.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, ConfigErrors> {
    parse_from(args, Sources::new(environment))
}

/// As [`parse`], with the other sources given.
pub fn parse_from(args: impl IntoIterator<Item = OsString>, mut sources: Sources) -> Result<Invocation, ConfigErrors> {
    let (matches, mut errors) = match read(&command(), args.into_iter().collect()) {
        ParseOutcome::Matches(matches, errors) => (matches, errors),
        ParseOutcome::Help(text) => return Ok(Invocation::Help(text)),
        ParseOutcome::Broken(errors) => return Err(ConfigErrors(errors)),
    };
    sources.flags =
        KEYS.iter().filter_map(|key| matches.get_one::<OsString>(key.name).map(|value| (key, value.clone()))).collect();
    let show = match matches.get_one::<OsString>(SHOW_CONFIG).map(|value| value.to_str().and_then(truth)) {
        Some(None) => {
            let origin = ValueOrigin::Flag(format!("--{SHOW_CONFIG}"));
            errors.push(ConfigError::new(origin, "expected no value, true or false"));
            false
        }
        given => given.flatten().unwrap_or(false),
    };
    let asked = matches.subcommand();
    let is_on = |name: &str| {
        let value = asked.and_then(|(_, matches)| matches.get_one::<OsString>(name));
        value.is_some_and(|value| value.to_str().and_then(truth).unwrap_or(true))
    };
    let mut planned = Planned::default();
    if let Some((PLAN, matches)) = asked {
        planned = Planned { file: matches.get_one::<OsString>(FILE).map(PathBuf::from), json: is_on(JSON) };
    }
    let mut wanted = StatusRequest::default();
    if let Some((STATUS, matches)) = asked {
        // The mode does not matter here, and a remote caller has none.
        sources.run_mode = Some(RunMode::Core);
        wanted = StatusRequest { address: None, json: is_on(JSON), watch: is_on(WATCH) };
        match matches.get_one::<OsString>(ADDRESS).map(|text| text.to_string_lossy().parse()) {
            Some(Err(form)) => {
                errors.push(ConfigError::new(ValueOrigin::Flag(format!("--{ADDRESS}")), format!("expected {form}")));
            }
            address => wanted.address = address.and_then(Result::ok),
        }
    }
    match load(&sources) {
        Ok(loaded) if errors.is_empty() && show => Ok(Invocation::ShowConfig(reference::effective(&loaded))),
        Ok(loaded) if errors.is_empty() => {
            let loaded = Box::new(loaded);
            Ok(match asked.map(|(name, _)| name) {
                Some(SHUTDOWN) => Invocation::Shutdown(loaded),
                Some(PLAN) => Invocation::Plan(loaded, planned),
                Some(STATUS) => Invocation::Status(loaded, wanted),
                Some(CHECK) => Invocation::Check(loaded),
                _ => Invocation::Run(loaded),
            })
        }
        Ok(_) => Err(ConfigErrors(errors)),
        Err(ConfigErrors(more)) => {
            // A flag without its value is one mistake, not two.
            let half_given = errors.iter().any(|error| error.origin == ValueOrigin::Flag("--run_mode".to_owned()));
            errors.extend(more.into_iter().filter(|error| !(half_given && error.origin == ValueOrigin::Default)));
            Err(ConfigErrors(errors))
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

enum ParseOutcome {
    Matches(ArgMatches, Vec<ConfigError>),
    Help(String),
    Broken(Vec<ConfigError>),
}

/// Reads the arguments. clap ends at the first mistake; here a wrong argument is noted, taken out, and the rest read again.
fn read(command: &Command, mut args: Vec<OsString>) -> ParseOutcome {
    let mut errors = Vec::new();
    // Positions as the user counts them.
    let mut positions: Vec<usize> = (0..args.len()).collect();
    loop {
        let error = match command.clone().try_get_matches_from(&args) {
            Ok(matches) => return ParseOutcome::Matches(matches, errors),
            Err(error) => error,
        };
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return ParseOutcome::Help(error.to_string());
        }
        let context =
            [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| error.get(kind));
        let named = match context {
            Some(ContextValue::String(text)) => text.split([' ', '=']).next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let Some(at) = args.iter().skip(1).position(|arg| is_argument(arg, &named)).map(|at| at + 1) else {
            // No words of clap's: they repeat the arguments, and a password may be one.
            let problem = "the command line cannot be read; each flag has the form --key=value";
            errors.push(ConfigError::new(ValueOrigin::Default, problem));
            return ParseOutcome::Broken(errors);
        };
        let (error, then) = wrong(&args, at, positions[at]);
        let next_is_value = args.get(at + 1).is_some_and(|next| !next.to_string_lossy().starts_with('-'));
        match then {
            // What follows is read as that one's.
            Then::Meant(subcommand) => args[at] = subcommand.into(),
            Then::Drop | Then::DropWithValue => {
                let last = if matches!(then, Then::DropWithValue) && next_is_value { at + 1 } else { at };
                args.drain(at..=last);
                positions.drain(at..=last);
            }
        }
        errors.push(error);
    }
}

fn is_argument(arg: &OsString, named: &str) -> bool {
    let arg = arg.to_string_lossy();
    let short = named.len() == 2 && named.starts_with('-') && named != "--";
    !named.is_empty() && (arg == named || arg.starts_with(&format!("{named}=")) || (short && arg.starts_with(named)))
}

/// How to go on after an argument that is wrong.
enum Then {
    /// Without it.
    Drop,
    /// Without it, and without the next one if that is its value.
    DropWithValue,
    /// As if this subcommand stood there.
    Meant(&'static str),
}

/// What is wrong with an argument, and how to go on. The argument's value is never repeated, nor is one that has no name: a password
/// that lost its flag may be there.
fn wrong(args: &[OsString], at: usize, position: usize) -> (ConfigError, Then) {
    let text = args[at].to_string_lossy();
    let name = text.split('=').next().unwrap_or_default();
    if let Some(key) = name.strip_prefix("--").and_then(keys::find) {
        let problem = format!("{} has no value, expected {}", key.name, key.kind.expected());
        return (ConfigError::new(ValueOrigin::Flag(name.to_owned()), problem), Then::Drop);
    }
    let of = hints::SUBCOMMANDS.into_iter().find(|word| args[..at].iter().any(|arg| arg == word));
    if of == Some(STATUS) && name.strip_prefix("--") == Some(ADDRESS) {
        let error = ConfigError::new(ValueOrigin::Flag(name.to_owned()), "address has no value, expected host:port");
        return (error, Then::Drop);
    }
    if of == Some(PLAN) && name.strip_prefix("--") == Some(FILE) {
        let error = ConfigError::new(
            ValueOrigin::Flag(name.to_owned()),
            "file has no value, expected a path, or - for standard input",
        );
        return (error, Then::Drop);
    }
    let bare = name.trim_start_matches('-');
    let is_flag = name.starts_with('-');
    let hint = if is_flag { hints::for_flag(bare, of) } else { hints::for_word(bare) };
    let is_word = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || "._-".contains(c));
    let shows = name.starts_with("--") && (hint.is_some() || is_word(name));
    let origin = ValueOrigin::Flag(if shows { name.to_owned() } else { format!("argument {position}") });
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    if is_flag {
        let then = if text.contains('=') { Then::Drop } else { Then::DropWithValue };
        return (ConfigError::new(origin, format!("no such flag{hint}")), then);
    }
    // The Go agent took `--log.probes true` for `--log.probes`, and `--log.probes false` as well.
    let before = args[at - 1].to_string_lossy();
    let switch = before.strip_prefix("--").and_then(keys::find);
    if let Some(key) = switch.filter(|key| key.kind == KeyKind::Bool && truth(&text).is_some()) {
        let problem = format!("boolean flags need an equals sign, for example {}={text}", key.flag());
        return (ConfigError::new(origin, problem), Then::Drop);
    }
    if let Some(meant) = hints::subcommand(&text).filter(|_| of.is_none()) {
        return (ConfigError::new(origin, format!("no such subcommand; did you mean {meant}?")), Then::Meant(meant));
    }
    let expected = format!("--key=value or a subcommand: {}", hints::SUBCOMMANDS.join(", "));
    (ConfigError::new(origin, format!("not a flag, expected {expected}{hint}")), Then::Drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_help_fits_a_terminal() {
        for line in command().render_help().to_string().lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn flags_reach_a_sub_command() {
        let args = ["proxysql-agent", "status", "--api.port=9", "--log.probes"].map(OsString::from);
        let ParseOutcome::Matches(matches, errors) = read(&command(), args.into()) else { panic!("no matches") };
        assert_eq!(errors, []);
        assert_eq!(matches.subcommand_name(), Some("status"));
        assert_eq!(matches.get_one::<OsString>("api.port"), Some(&"9".into()));
        assert_eq!(matches.get_one::<OsString>("log.probes"), Some(&"true".into()));
    }
}
