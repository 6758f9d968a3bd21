//! Flags, as `clap` and the shells have them.

use std::ffi::{OsStr, OsString};

use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, ArgAction, Command, ValueHint};

use super::{COLUMNS, INDENT};
use crate::config::keys::Key;
use crate::config::{KeyKind, reference};

/// The flag of a key.
pub(super) fn argument(key: &'static Key) -> Arg {
    let default = match key.default {
        None => String::new(),
        Some("") => " [default: empty]".to_owned(),
        Some(default) => format!(" [default: {default}]"),
    };
    let text = format!("{}{}", key.about, reference::words(key));
    let heading = if key.section().is_empty() { "process" } else { key.section() };
    let arg = Arg::new(key.name)
        .long(key.name)
        .value_name(key.kind.placeholder())
        .value_hint(hint(key.kind))
        .help(reference::wrap(&(text + &default), COLUMNS - INDENT).join("\n"))
        .help_heading(heading)
        .global(true);
    // As with the Go agent, a value may begin with a dash.
    match key.kind {
        KeyKind::Bool => switch(arg),
        KeyKind::Word(words, _) => arg.value_parser(Words(words)).hide_possible_values(true).allow_hyphen_values(true),
        _ => arg.value_parser(OsStringValueParser::new()).allow_hyphen_values(true),
    }
}

/// What a shell completes as the value.
fn hint(kind: KeyKind) -> ValueHint {
    match kind {
        KeyKind::Path | KeyKind::OptionalPath => ValueHint::FilePath,
        KeyKind::DirectoryOrTemp => ValueHint::DirPath,
        KeyKind::Word(..) | KeyKind::Bool => ValueHint::Unknown,
        _ => ValueHint::Other,
    }
}

/// Takes any value, for the configuration judges it together with those of the other sources; a shell completes these words.
#[derive(Debug, Clone, Copy)]
struct Words(&'static [&'static str]);

impl TypedValueParser for Words {
    type Value = OsString;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<OsString, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// A flag that needs no value: `--log.probes`, `--log.probes=false`.
pub(super) fn switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .value_parser(Words(&["true", "false"]))
        .hide_possible_values(true)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("bool")
}
