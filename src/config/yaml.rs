//! A YAML document as a tree whose scalars keep the text they were written with, and whose nodes keep their lines.
//!
//! Deserialising would turn the password `0123` into a number and forget the lines. So this reads the parser's events.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

/// A node and the line on which it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) data: Data,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// A text; `plain` if it was written without quotes.
    Scalar { text: String, plain: bool },
    /// Keys with their lines, in the order of the file, duplicates included.
    Mapping(Vec<(String, usize, Node)>),
    /// A list, which no key takes.
    Sequence(Vec<Node>),
}

impl Node {
    /// Whether this is YAML's null: nothing, `~` or the word, without quotes.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if ["", "~", "null", "Null", "NULL"].contains(&text.as_str()))
    }

    fn size(&self) -> usize {
        match &self.data {
            Data::Scalar { .. } => 1,
            Data::Mapping(pairs) => 1 + pairs.iter().map(|(_, _, node)| node.size()).sum::<usize>(),
            Data::Sequence(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
        }
    }
}

/// What is wrong with a document, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// Nodes after which aliases have multiplied beyond any configuration.
const MOST_NODES: usize = 10_000;

/// Deeper than any key.
const DEEPEST: usize = 32;

/// The root of the only document; `None` if there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Broken> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0 };
    let mut root = None;
    while let Some(event) = reader.parser.next() {
        let (event, span) = event.map_err(|error| broken(&error))?;
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => {
                let node = reader.node(event, span)?;
                if root.is_some() && !node.is_null() {
                    return Err(Broken { line: node.line, problem: "a second document, expected one".to_owned() });
                }
                root = root.or(Some(node));
            }
        }
    }
    Ok(root.filter(|node| !node.is_null()))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.parser.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(broken(&error)),
            None => Err(Broken { line: 0, problem: "the document ends too early".to_owned() }),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Broken> {
        let line = span.start.line();
        self.nodes += 1;
        let (data, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse(tag.as_deref(), line)?;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                // The parser says "~" where nothing was written.
                let nothing = plain && span.start.index() == span.end.index();
                let text = if nothing { String::new() } else { text.into_owned() };
                if anchor != 0 && nothing {
                    let problem = "an anchor without a value; a value that begins with & needs quotes".to_owned();
                    return Err(Broken { line, problem });
                }
                (Data::Scalar { text, plain }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse(tag.as_deref(), line)?;
                (self.mapping()?, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse(tag.as_deref(), line)?;
                (self.sequence()?, anchor)
            }
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => {
                    self.nodes += node.size();
                    (node.data.clone(), 0)
                }
                None => return Err(Broken { line, problem: "an alias within what it stands for".to_owned() }),
            },
            _ => return Err(Broken { line, problem: "something that is no value".to_owned() }),
        };
        if self.nodes > MOST_NODES {
            return Err(Broken { line, problem: format!("more than {MOST_NODES} values") });
        }
        let node = Node { line, data };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn mapping(&mut self) -> Result<Data, Broken> {
        let mut pairs = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Data::Mapping(pairs));
            }
            let line = span.start.line();
            let Data::Scalar { text: key, .. } = self.node(event, span)?.data else {
                return Err(Broken { line, problem: "a key that is a list or a mapping, expected a name".to_owned() });
            };
            let (event, span) = self.next()?;
            pairs.push((key, line, self.node(event, span)?));
        }
    }

    fn sequence(&mut self) -> Result<Data, Broken> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Data::Sequence(items));
            }
            items.push(self.node(event, span)?);
        }
    }
}

/// Refuses tags other than YAML's own. The text is not shown: an unquoted password may begin with an exclamation mark.
fn refuse(tag: Option<&Tag>, line: usize) -> Result<(), Broken> {
    let own = tag.is_none_or(|tag| tag.is_yaml_core_schema() || tag.suffix().is_empty());
    let problem = || "a YAML tag, expected a value; a value that begins with ! needs quotes".to_owned();
    if own { Ok(()) } else { Err(Broken { line, problem: problem() }) }
}

/// The parser's words, but for the one that repeats a character of the file: it may stand in a password.
fn broken(error: &ScanError) -> Broken {
    let problem = match error.kind() {
        ErrorKind::UnexpectedCharacter { .. } => "a character that cannot begin a value here; use quotes".to_owned(),
        ErrorKind::UnknownAnchor => "an alias to nothing; a value that begins with * needs quotes".to_owned(),
        ErrorKind::Custom(_) => "broken YAML".to_owned(),
        _ => error.info(),
    };
    Broken { line: error.marker().line(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(text: &str) -> Vec<(String, String, usize)> {
        let Some(Node { data: Data::Mapping(pairs), .. }) = parse(text).expect("good YAML") else {
            return Vec::new();
        };
        let text = |node: Node| match node.data {
            Data::Scalar { text, .. } => text,
            other => format!("{other:?}"),
        };
        pairs.into_iter().map(|(key, line, node)| (key, text(node), line)).collect()
    }

    #[test]
    fn scalars_keep_their_text() {
        for text in ["12345", "0123", "1e3", "true", "0x1F", "1_000", "2024-01-01", ".inf", "a#b", "a:b"] {
            assert_eq!(scalars(&format!("k: {text}\n")), [("k".to_owned(), text.to_owned(), 1)]);
        }
        assert_eq!(scalars("# c\r\nk: 'it''s'\r\nl: \"\\u00e9\"\r\n")[1], ("l".to_owned(), "é".to_owned(), 3));
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "# only\n", "---\n", "~\n", "---\n...\n", "\u{feff}"] {
            assert!(parse(text).expect("good YAML").is_none(), "{text:?}");
        }
    }

    #[test]
    fn aliases_stand_for_what_they_name_within_bounds() {
        assert_eq!(scalars("a: &x 1\nb: *x\n")[1].1, "1");
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let last = level - 1;
            let aliases = vec![format!("*a{last}"); 7].join(",");
            bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
        }
        assert!(parse(&bomb).expect_err("a bomb").problem.contains("more than"));
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn an_unquoted_password_is_never_repeated() {
        for secret in [
            "*hunter2",
            "&hunter2",
            "!hunter2",
            "@hunter2",
            "`hunter2",
            "%hunter2",
            "[hunter2",
            "{hunter2",
            "'hunter2",
            "\"hunter2",
            "|hunter2",
            ">hunter2",
            "\"\\hunter2\"",
        ] {
            if let Err(broken) = parse(&format!("password: {secret}\n")) {
                assert!(!broken.problem.contains("unter"), "{broken:?}");
            }
        }
    }
}
