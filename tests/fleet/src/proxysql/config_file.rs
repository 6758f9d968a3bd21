//! `proxysql.cnf`: the part of libconfig's language that it uses.

use std::path::Path;

/// Texts that one file includes, itself and their own included.
const MOST_INCLUDES: usize = 100;

/// A value in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i32),
    /// One that does not fit, or has an `L`.
    Int64(i64),
    Float(f64),
    /// What is no UTF-8 in it is replaced.
    Text(String),
    Group(Vec<(String, Value)>),
    /// `( ... )` and `[ ... ]` alike.
    List(Vec<Value>),
}

impl Value {
    /// What it is made of.
    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Group(settings) => settings.iter().map(|(_, value)| value).collect(),
            Self::List(values) => values.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ConfigFile(Vec<(String, Value)>);

impl ConfigFile {
    /// Reads a file with what it includes; `None` if it does not read or is not in the language.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        Self::parse(&String::from_utf8_lossy(&std::fs::read(path).ok()?))
    }

    /// `None` if the text is not in the language.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text: text.chars().collect(), at: 0, included: 0 };
        let settings = parser.settings(None)?;
        Some(Self(settings))
    }

    /// The settings of a group; none if there is no such group.
    pub(crate) fn group(&self, name: &str) -> &[(String, Value)] {
        match self.get(name) {
            Some(Value::Group(settings)) => settings,
            _ => &[],
        }
    }

    /// The entries of a section, what is no group in it as one without settings; none if there is no such section.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &[(String, Value)]> {
        let values = self.get(name).map(Value::parts).unwrap_or_default();
        values.into_iter().map(|value| match value {
            Value::Group(settings) => settings.as_slice(),
            _ => &[],
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// What is included becomes part of the text.
struct Parser {
    text: Vec<char>,
    at: usize,
    included: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        self.peek().filter(|letter| wanted(*letter))?;
        self.next()
    }

    /// Settings up to `end`, or to the end of the file.
    fn settings(&mut self, end: Option<char>) -> Option<Vec<(String, Value)>> {
        let mut settings: Vec<(String, Value)> = Vec::new();
        loop {
            self.blank()?;
            match self.peek() {
                None if end.is_none() => return Some(settings),
                // libconfig takes no notice of a string that does not end, and of nothing else.
                Some('"') if end.is_none() && !self.text[self.at + 1..].contains(&'"') => return Some(settings),
                None => return None,
                next if next == end => {
                    self.next();
                    return Some(settings);
                }
                Some(_) => {}
            }
            let name = self.word(|letter| letter.is_ascii_alphanumeric() || "_-*".contains(letter))?;
            if !name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '*') {
                return None;
            }
            self.blank()?;
            self.next_if(|letter| matches!(letter, '=' | ':'))?;
            let value = self.value()?;
            if settings.iter().any(|(key, _)| *key == name) {
                return None;
            }
            settings.push((name, value));
            self.blank()?;
            self.next_if(|letter| matches!(letter, ';' | ','));
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blank()?;
        match self.peek()? {
            '{' => {
                self.next();
                self.settings(Some('}')).map(Value::Group)
            }
            open @ ('(' | '[') => {
                self.next();
                self.values(if open == '(' { ')' } else { ']' }).map(Value::List)
            }
            '"' => self.string().map(Value::Text),
            _ => self.number(),
        }
    }

    fn values(&mut self, end: char) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            self.blank()?;
            if self.next_if(|letter| letter == end).is_some() {
                return Some(values);
            }
            values.push(self.value()?);
            self.blank()?;
            if self.next_if(|letter| letter == ',').is_none() && self.peek() != Some(end) {
                return None;
            }
            self.blank()?;
            while self.next_if(|letter| letter == ',').is_some() {
                self.blank()?;
            }
        }
    }

    /// Strings side by side are one string.
    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        while self.next_if(|letter| letter == '"').is_some() {
            loop {
                match self.next()? {
                    '"' => break,
                    '\\' => {
                        let hex = |at: usize| self.text.get(at).and_then(|letter| letter.to_digit(16));
                        let (length, letter) = match self.peek() {
                            Some('n') => (1, '\n'),
                            Some('t') => (1, '\t'),
                            Some('r') => (1, '\r'),
                            Some('f') => (1, '\u{c}'),
                            Some(same @ ('\\' | '"')) => (1, same),
                            Some('x' | 'X') => match (hex(self.at + 1), hex(self.at + 2)) {
                                (Some(high), Some(low)) => (3, char::from_u32(high * 16 + low).unwrap_or('?')),
                                _ => (0, '\\'),
                            },
                            _ => (0, '\\'),
                        };
                        self.at += length;
                        text.push(letter);
                    }
                    other => text.push(other),
                }
            }
            self.blank()?;
        }
        Some(text)
    }

    fn number(&mut self) -> Option<Value> {
        let word = self.word(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))?;
        let lower = word.to_ascii_lowercase();
        if matches!(lower.as_str(), "true" | "false") {
            return Some(Value::Bool(lower == "true"));
        }
        let digits = word.strip_suffix("LL").or_else(|| word.strip_suffix('L'));
        let is_long = digits.is_some();
        let digits = digits.unwrap_or(&word);
        if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            let number = u64::from_str_radix(hex, 16).ok()?;
            #[allow(clippy::cast_possible_truncation)]
            return Some(if is_long {
                Value::Int64(number.cast_signed())
            } else {
                Value::Int((number as u32).cast_signed())
            });
        }
        if is_long {
            return digits.parse().ok().map(Value::Int64);
        }
        if digits.contains(['.', 'e', 'E']) {
            return digits.parse().ok().map(Value::Float);
        }
        let (sign, plain) = digits.strip_prefix('-').map_or((1, digits.trim_start_matches('+')), |plain| (-1, plain));
        let radix = if plain.len() > 1 && plain.starts_with('0') { 8 } else { 10 };
        let number = sign * i64::from_str_radix(plain, radix).ok()?;
        Some(i32::try_from(number).map_or(Value::Int64(number), Value::Int))
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> Option<String> {
        let mut word = String::new();
        while let Some(letter) = self.next_if(&belongs) {
            word.push(letter);
        }
        (!word.is_empty()).then_some(word)
    }

    /// Skips white space and comments, and takes in what is included; `None` if that cannot be.
    fn blank(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\r' | '\u{c}') => {
                    self.next();
                }
                Some('#') => self.line(),
                Some('@') => self.include()?,
                Some('/') => {
                    self.next();
                    match self.next()? {
                        '/' => self.line(),
                        '*' => loop {
                            match self.next() {
                                Some('*') if self.peek() == Some('/') => {
                                    self.next();
                                    break;
                                }
                                Some(_) => {}
                                None => return Some(()),
                            }
                        },
                        _ => return None,
                    }
                }
                _ => return Some(()),
            }
        }
    }

    /// `@include "path"`, at the start of a line only.
    fn include(&mut self) -> Option<()> {
        let mut before = self.text[..self.at].iter().rev().skip_while(|letter| matches!(letter, ' ' | '\t'));
        if before.next().is_some_and(|letter| *letter != '\n') {
            return None;
        }
        for letter in "@include".chars() {
            self.next_if(|next| next == letter)?;
        }
        self.next_if(|next| matches!(next, ' ' | '\t'))?;
        while self.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
        self.next_if(|next| next == '"')?;
        let path = self.word(|letter| letter != '"').unwrap_or_default();
        self.next()?;
        self.included += 1;
        if self.included > MOST_INCLUDES {
            return None;
        }
        let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
        // Its first line is the start of one.
        self.text.splice(self.at..self.at, std::iter::once('\n').chain(text.chars()));
        Some(())
    }

    fn line(&mut self) {
        while let Some(letter) = self.next() {
            if letter == '\n' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_groups_lists_comments_and_all_kinds_of_values() {
        let file = ConfigFile::parse(
            r#"
            datadir="/x" # comment
            // another
            admin_variables = { mysql_ifaces="127.0.0.1:6032;" "b" ; restapi_enabled=TRUE, web_port : 0x10 };
            mysql_servers: ( { address="a", port=3306, weight=1L }, /* in between */ { address="b\"c" } );
            empty=()
            "#,
        )
        .expect("in the language");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            file.group("admin_variables"),
            [
                ("mysql_ifaces".to_owned(), text("127.0.0.1:6032;b")),
                ("restapi_enabled".to_owned(), Value::Bool(true)),
                ("web_port".to_owned(), Value::Int(16)),
            ]
        );
        let servers: Vec<_> = file.list("mysql_servers").collect();
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[1], [("address".to_owned(), text("b\"c"))]);
        assert_eq!(file.list("empty").count(), 0);
        assert_eq!(file.list("absent").count(), 0);
    }

    #[test]
    fn refuses_what_is_not_in_the_language() {
        for text in
            ["a", "a=", "a={", "a=(1 2)", "a=\"x", "=1", "a=1 b", "a={b=1}}", "a=x", "a=1; a=2", "a=08", "a=1 @"]
        {
            assert_eq!(ConfigFile::parse(text), None, "{text}");
        }
    }
}
