//! Suggestions for unknown words of the command line. Only names that are known are ever repeated.

use super::{ADDRESS, CHECK, FILE, JSON, PLAN, SHOW_CONFIG, SHUTDOWN, STATUS, WATCH};
use crate::config::keys::{self, KEYS};

/// The subcommands.
pub(super) const SUBCOMMANDS: [&str; 4] = [CHECK, PLAN, SHUTDOWN, STATUS];
/// Run modes, which some tools have as subcommands.
const MODES: [&str; 3] = ["core", "satellite", "dump"];
/// Where the agent's own file is said.
const OWN_FILE: &str = "the variable AGENT_CONFIG_FILE names the file";

/// What a flag (without its dashes) of the subcommand `of`, or of none, may have meant; as the end of a sentence.
pub(super) fn for_flag(name: &str, of: Option<&str>) -> Option<String> {
    let plain = name.to_lowercase().replace(['-', '.'], "_");
    let known = match plain.as_str() {
        "config" | "conf" | "cfg" | "configuration" | "c" => Some(OWN_FILE.to_owned()),
        "config_file" | "configfile" | "config_path" => {
            Some(format!("{OWN_FILE}; --core.config_file is that of ProxySQL"))
        }
        "verbose" | "debug" | "trace" => Some("did you mean --log.level=DEBUG?".to_owned()),
        "quiet" | "silent" => Some("did you mean --log.level=WARN?".to_owned()),
        "v" => Some("did you mean --version?".to_owned()),
        "dry_run" | "dryrun" => Some("did you mean the subcommand plan?".to_owned()),
        "kubeconfig" => Some("the variable KUBECONFIG names it".to_owned()),
        JSON if of != Some(CHECK) => Some("it belongs to the subcommands plan and status, and after them".to_owned()),
        WATCH | ADDRESS => Some("it belongs to the subcommand status, and after it".to_owned()),
        _ => SUBCOMMANDS.iter().find(|word| **word == plain).map(|word| format!("did you mean the subcommand {word}?")),
    };
    // Those of status have no hint to themselves.
    let own: &[&str] = match of {
        Some(STATUS) => &[ADDRESS, JSON, WATCH],
        Some(PLAN) => &[FILE, JSON],
        _ => &[],
    };
    if let Some(known) = known.filter(|_| !own.contains(&name)) {
        return Some(known);
    }
    let names = KEYS.iter().map(|key| key.name).chain([SHOW_CONFIG, "help", "version", "config"]);
    match keys::nearest(name, names.chain(own.iter().copied()))? {
        "config" => Some(OWN_FILE.to_owned()),
        near => Some(format!("did you mean --{near}?")),
    }
}

/// The subcommand that a word is a misspelling of.
pub(super) fn subcommand(word: &str) -> Option<&'static str> {
    // Words like these are no misspellings of what they happen to be near to.
    let is_other = MODES.contains(&word) || keys::find(word).is_some() || word.len() < 3;
    keys::nearest(word, SUBCOMMANDS.into_iter()).filter(|near| !is_other && near.len().abs_diff(word.len()) < 3)
}

/// What a word that is neither a flag nor near to a subcommand may have meant; as the end of a sentence.
pub(super) fn for_word(word: &str) -> Option<String> {
    match word.to_lowercase().as_str() {
        "help" => return Some("did you mean --help?".to_owned()),
        "version" => return Some("did you mean --version?".to_owned()),
        "config" | "show_config" | SHOW_CONFIG => return Some(format!("did you mean --{SHOW_CONFIG}?")),
        "drain" | "stop" => return Some(format!("did you mean {SHUTDOWN}?")),
        "validate" | "test" | "lint" => return Some(format!("did you mean {CHECK}?")),
        "diff" => return Some(format!("did you mean {PLAN}?")),
        "run" | "start" | "serve" => return Some("without a subcommand the agent runs".to_owned()),
        "reload" | "resync" => return Some(format!("it is POST /{} on the agent's HTTP port", word.to_lowercase())),
        _ => {}
    }
    if let Some(mode) = keys::nearest(word, MODES.into_iter()).filter(|mode| mode.len().abs_diff(word.len()) < 3) {
        return Some(format!("did you mean --run_mode={mode}?"));
    }
    let names = KEYS.iter().map(|key| key.name).chain([SHOW_CONFIG, "help", "version"]);
    keys::nearest(word, names).map(|near| format!("did you mean --{near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcommand_is_known_by_its_misspellings_alone() {
        for (word, meant) in [
            ("stauts", Some("status")),
            ("Status", Some("status")),
            ("stat", Some("status")),
            ("shut-down", Some("shutdown")),
            ("chek", Some("check")),
            ("plans", Some("plan")),
            ("core", None),
            ("planet-of-the-apes", None),
            ("pl", None),
            ("hunter2", None),
        ] {
            assert_eq!(subcommand(word), meant, "{word}");
        }
    }

    #[test]
    fn the_agents_file_is_not_taken_for_that_of_proxysql() {
        for name in ["config", "conf", "c", "confg", "configs", "config-file", "config.file", "CONFIG_FILE"] {
            let hint = for_flag(name, None).unwrap();
            assert!(hint.contains("AGENT_CONFIG_FILE"), "{name}: {hint}");
        }
        assert_eq!(for_flag("core.config-file", None).as_deref(), Some("did you mean --core.config_file?"));
        assert_eq!(for_flag("show_config", None).as_deref(), Some("did you mean --show-config?"));
    }
}
