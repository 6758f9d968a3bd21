//! The layer of the YAML file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ValueOrigin, with_hint};
use super::keys::{self, Key};
use super::kind::KeyKind;
use super::layers::{self, ConfigLayer, Findings};
use super::yaml::{self, Data, Node};

/// A file larger than this is something else.
const LARGEST: u64 = 1 << 20;

/// Reads the named file, or else the first of the default files that is there. Gives its path, too.
pub(super) fn read(
    named: Option<&Path>,
    default_files: &[PathBuf],
    findings: &mut Findings,
) -> (ConfigLayer, Option<PathBuf>) {
    let mut layer = ConfigLayer::new("file");
    let candidates = named.map_or_else(|| default_files.to_vec(), |path| vec![path.to_path_buf()]);
    for path in candidates {
        match text(&path) {
            Ok(text) => {
                match yaml::parse(&text) {
                    Ok(Some(root)) => {
                        Walk { path: &path, layer: &mut layer, findings, seen: BTreeMap::new() }.root(&root);
                    }
                    Ok(None) => {}
                    Err(broken) => {
                        let origin = ValueOrigin::File(path.clone(), broken.line);
                        findings.errors.push(ConfigError::new(origin, format!("not YAML: {}", broken.problem)));
                        findings.all_wrong();
                    }
                }
                return (layer, Some(path));
            }
            Err(Unread::Absent) if named.is_none() => {}
            Err(unread) => {
                findings.errors.push(ConfigError::new(origin_of(&path, named), unread.problem(&path)));
                findings.all_wrong();
                return (layer, None);
            }
        }
    }
    (layer, None)
}

/// A named file that cannot be read is the variable's mistake.
fn origin_of(path: &Path, named: Option<&Path>) -> ValueOrigin {
    match named {
        Some(_) => ValueOrigin::Variable(keys::FILE_VARIABLE.to_owned()),
        None => ValueOrigin::File(path.to_path_buf(), 0),
    }
}

enum Unread {
    Absent,
    Directory,
    TooLarge,
    NotUtf8(usize),
    Failed(std::io::Error),
}

impl Unread {
    fn problem(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Absent => format!("there is no file {path}, expected a YAML file"),
            Self::Directory => format!("{path} is a directory, expected a YAML file"),
            Self::TooLarge => format!("{path} is larger than 1 MiB, expected a YAML file"),
            Self::NotUtf8(line) => format!("{path} is not UTF-8 text at line {line}, expected a YAML file"),
            Self::Failed(error) => format!("{path} cannot be read: {error}, expected a YAML file"),
        }
    }
}

fn text(path: &Path) -> Result<String, Unread> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unread::Absent,
        ErrorKind::IsADirectory => Unread::Directory,
        _ => Unread::Failed(error),
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Unread::NotUtf8(1 + before.split(|byte| *byte == b'\n').count().saturating_sub(1))
    })
}

/// One walk over the tree: known keys into the layer, everything else into the findings.
struct Walk<'a> {
    path: &'a Path,
    layer: &'a mut ConfigLayer,
    findings: &'a mut Findings,
    /// The line of each name that was met.
    seen: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn root(&mut self, root: &Node) {
        match &root.data {
            Data::Mapping(pairs) => self.mapping("", pairs),
            _ => self
                .wrong(root.line, "the top level must be a YAML mapping, with lines of the form key: value".to_owned()),
        }
    }

    fn mapping(&mut self, prefix: &str, pairs: &[(String, usize, Node)]) {
        for (name, line, node) in pairs.iter().filter(|(name, ..)| name != "<<") {
            // Keys have no case, as in the Go agent; a dotted key is the same as a nested one.
            let full =
                if prefix.is_empty() { name.to_lowercase() } else { format!("{prefix}.{}", name.to_lowercase()) };
            self.node(&full, *line, node);
        }
        let own: BTreeSet<String> = pairs.iter().map(|(name, ..)| name.to_lowercase()).collect();
        for (_, line, node) in pairs.iter().filter(|(name, ..)| name == "<<") {
            let sources = match &node.data {
                Data::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            for source in sources {
                match &source.data {
                    Data::Mapping(merged) => {
                        let new: Vec<_> =
                            merged.iter().filter(|(name, ..)| !own.contains(&name.to_lowercase())).cloned().collect();
                        self.mapping(prefix, &new);
                    }
                    _ => self.wrong(*line, "<< merges something that is not a mapping".to_owned()),
                }
            }
        }
    }

    fn node(&mut self, name: &str, line: usize, node: &Node) {
        let is_section = keys::KEYS.iter().any(|key| key.name.starts_with(&format!("{name}.")));
        if is_section && (matches!(node.data, Data::Mapping(_)) || node.is_null()) {
            // A section may be opened twice under two spellings; its keys may not.
        } else if let Some(first) = self.seen.insert(name.to_owned(), line) {
            self.wrong(line, format!("duplicate key {name}, first defined on line {first}"));
            return;
        }
        match (&node.data, keys::find(name)) {
            (Data::Scalar { text, plain: _ }, Some(key)) if !node.is_null() => self.scalar(key, text, line),
            (Data::Scalar { text, .. }, Some(key)) => self.null(key, text, line),
            (_, Some(key)) => {
                let is = if matches!(node.data, Data::Sequence(_)) { "a list" } else { "a mapping" };
                self.findings.wrong.insert(key.name);
                self.wrong(line, format!("{name} is {is}, expected {}", key.kind.expected()));
            }
            (Data::Mapping(pairs), None) if is_section => self.mapping(name, pairs),
            _ if is_section && node.is_null() => {}
            _ if is_section => {
                let below: Vec<_> =
                    keys::KEYS.iter().filter_map(|key| key.name.strip_prefix(&format!("{name}."))).collect();
                self.wrong(line, format!("{name} is a section, expected keys below it: {}", below.join(", ")));
            }
            _ if layers::is_ignored(name) => {
                let origin = ValueOrigin::File(self.path.to_path_buf(), line);
                self.findings.warnings.push(layers::ignored(&origin));
            }
            (Data::Mapping(pairs), None) if !pairs.is_empty() => self.mapping(name, pairs),
            _ => {
                let near = keys::nearest(name, keys::KEYS.iter().map(|key| key.name));
                self.wrong(line, with_hint(format!("no such key: {name}"), near));
            }
        }
    }

    fn scalar(&mut self, key: &'static Key, text: &str, line: usize) {
        self.layer.set(key, text, ValueOrigin::File(self.path.to_path_buf(), line), self.findings);
    }

    /// YAML's null leaves a key at its default, as in the Go agent. Where the word could be meant as a text, that is said.
    fn null(&mut self, key: &'static Key, text: &str, line: usize) {
        let takes_text = matches!(
            key.kind,
            KeyKind::Text | KeyKind::Secret | KeyKind::LabelValue | KeyKind::Namespace | KeyKind::Host
        );
        if takes_text && !text.is_empty() {
            let origin = ValueOrigin::File(self.path.to_path_buf(), line);
            let warning = format!(
                "{origin}: {} is YAML's null, which leaves it as it was; write \"{text}\" to mean the word",
                key.name
            );
            self.findings.warnings.push(warning);
        }
    }

    fn wrong(&mut self, line: usize, problem: String) {
        self.findings.errors.push(ConfigError::new(ValueOrigin::File(self.path.to_path_buf(), line), problem));
    }
}
