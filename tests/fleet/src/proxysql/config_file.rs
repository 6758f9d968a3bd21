//! `proxysql.cnf`: the part of libconfig's language that it uses.

use std::iter::Peekable;
use std::str::Chars;

/// A value in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Number, truth value or string, as text.
    Scalar(String),
    Group(Vec<(String, Value)>),
    /// `( ... )` and `[ ... ]` alike.
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ConfigFile(Vec<(String, Value)>);

impl ConfigFile {
    /// `None` if the text is not in the language.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text.chars().peekable() };
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

    /// The groups in a list; none if there is no such list.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &[(String, Value)]> {
        let values: &[Value] = match self.get(name) {
            Some(Value::List(values)) => values,
            _ => &[],
        };
        values.iter().filter_map(|value| match value {
            Value::Group(settings) => Some(settings.as_slice()),
            _ => None,
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    /// Settings up to `end`, or to the end of the file.
    fn settings(&mut self, end: Option<char>) -> Option<Vec<(String, Value)>> {
        let mut settings: Vec<(String, Value)> = Vec::new();
        loop {
            self.blank()?;
            match self.rest.peek() {
                None if end.is_none() => return Some(settings),
                None => return None,
                Some(next) if Some(*next) == end => {
                    self.rest.next();
                    return Some(settings);
                }
                Some(_) => {}
            }
            let name = self.word(|letter| letter.is_ascii_alphanumeric() || "_-*".contains(letter))?;
            if !name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '*') {
                return None;
            }
            self.blank()?;
            self.rest.next_if(|letter| matches!(letter, '=' | ':'))?;
            let value = self.value()?;
            if settings.iter().any(|(key, _)| *key == name) {
                return None;
            }
            settings.push((name, value));
            self.blank()?;
            self.rest.next_if(|letter| matches!(letter, ';' | ','));
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blank()?;
        match *self.rest.peek()? {
            '{' => {
                self.rest.next();
                self.settings(Some('}')).map(Value::Group)
            }
            open @ ('(' | '[') => {
                self.rest.next();
                self.values(if open == '(' { ')' } else { ']' }).map(Value::List)
            }
            '"' => self.string().map(Value::Scalar),
            _ => self.number(),
        }
    }

    fn values(&mut self, end: char) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            self.blank()?;
            if self.rest.next_if_eq(&end).is_some() {
                return Some(values);
            }
            values.push(self.value()?);
            self.blank()?;
            if self.rest.next_if_eq(&',').is_none() && self.rest.peek() != Some(&end) {
                return None;
            }
        }
    }

    /// Strings side by side are one string.
    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        while self.rest.next_if_eq(&'"').is_some() {
            loop {
                match self.rest.next()? {
                    '"' => break,
                    '\\' => text.push(match self.rest.next()? {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'f' => '\u{c}',
                        other => other,
                    }),
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
            return Some(Value::Scalar(lower));
        }
        let digits = word.trim_end_matches('L');
        if let Some(hex) = lower.strip_prefix("0x") {
            let number = i64::from_str_radix(hex.trim_end_matches('l'), 16).ok()?;
            return Some(Value::Scalar(number.to_string()));
        }
        digits.parse::<f64>().ok()?;
        Some(Value::Scalar(digits.to_owned()))
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> Option<String> {
        let mut word = String::new();
        while let Some(letter) = self.rest.next_if(|letter| belongs(*letter)) {
            word.push(letter);
        }
        (!word.is_empty()).then_some(word)
    }

    /// Skips white space and comments; `None` if a comment does not end.
    fn blank(&mut self) -> Option<()> {
        loop {
            match self.rest.peek() {
                Some(letter) if letter.is_whitespace() => {
                    self.rest.next();
                }
                Some('#') => self.line(),
                Some('/') => {
                    self.rest.next();
                    match self.rest.next()? {
                        '/' => self.line(),
                        '*' => loop {
                            if self.rest.next()? == '*' && self.rest.next_if_eq(&'/').is_some() {
                                break;
                            }
                        },
                        _ => return None,
                    }
                }
                _ => return Some(()),
            }
        }
    }

    fn line(&mut self) {
        for letter in self.rest.by_ref() {
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
        let scalar = |text: &str| Value::Scalar(text.to_owned());
        assert_eq!(
            file.group("admin_variables"),
            [
                ("mysql_ifaces".to_owned(), scalar("127.0.0.1:6032;b")),
                ("restapi_enabled".to_owned(), scalar("true")),
                ("web_port".to_owned(), scalar("16")),
            ]
        );
        let servers: Vec<_> = file.list("mysql_servers").collect();
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[1], [("address".to_owned(), scalar("b\"c"))]);
        assert_eq!(file.list("empty").count(), 0);
        assert_eq!(file.list("absent").count(), 0);
    }

    #[test]
    fn refuses_what_is_not_in_the_language() {
        for text in ["a", "a=", "a={", "a=(1 2)", "a=\"x", "=1", "a=1 b", "a={b=1}}", "a=x", "a=1; a=2", "/* a=1"] {
            assert_eq!(ConfigFile::parse(text), None, "{text}");
        }
    }
}
