//! The grammar: libconfig's `grammar.y`.

use super::scan::{Scanner, Token};
use super::{Fault, Parsed, Setting, Texts, Value};

/// Values within values. libconfig gives up at some thousand.
const DEEPEST: usize = 100;

/// Reads a text with what it includes. Where a text is wanted that was not handed in, it is read as if that were empty.
pub fn parse(main: &[u8], texts: &Texts) -> Parsed {
    let mut parser = Parser { scanner: Scanner::new(main, texts), next: Token::End };
    parser.advance();
    let settings = parser.settings(&Token::End, 0);
    Parsed { settings, ..parser.scanner.found }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    next: Token,
}

impl Parser<'_> {
    fn advance(&mut self) -> Token {
        let next = self.scanner.next();
        std::mem::replace(&mut self.next, next)
    }

    fn takes(&mut self, mark: u8) -> bool {
        let is_there = self.next == Token::Mark(mark);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn fault<T>(&self) -> Result<T, Fault> {
        let reason = if let Token::Wrong(reason) = self.next { reason } else { "syntax error" };
        Err(self.scanner.fault(reason))
    }

    fn settings(&mut self, end: &Token, depth: usize) -> Result<Vec<Setting>, Fault> {
        let mut settings: Vec<Setting> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        while self.next != *end {
            let Token::Name(name) = &self.next else { return self.fault() };
            let name = name.clone();
            if !names.insert(name.clone()) {
                return Err(self.scanner.fault("duplicate setting name"));
            }
            self.advance();
            if !self.takes(b'=') {
                return self.fault();
            }
            let value = self.value(depth)?;
            settings.push(Setting { name, value });
            if !self.takes(b';') {
                self.takes(b',');
            }
        }
        Ok(settings)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth >= DEEPEST {
            return Err(self.scanner.fault("values within values, deeper than is followed"));
        }
        match self.next {
            Token::Mark(b'{') => {
                self.advance();
                let settings = self.settings(&Token::Mark(b'}'), depth + 1)?;
                self.advance();
                Ok(Value::Group(settings))
            }
            Token::Mark(b'(') => self.values(b')', |parser| parser.value(depth + 1)).map(Value::List),
            Token::Mark(b'[') => {
                let values = self.values(b']', Self::simple)?;
                let kind = values.first().map(std::mem::discriminant);
                if values.iter().any(|value| Some(std::mem::discriminant(value)) != kind) {
                    return Err(self.scanner.fault("mismatched element type in array"));
                }
                Ok(Value::Array(values))
            }
            _ => self.simple(),
        }
    }

    /// Values up to `end`, each two with at least one comma in between.
    fn values(
        &mut self,
        end: u8,
        mut each: impl FnMut(&mut Self) -> Result<Value, Fault>,
    ) -> Result<Vec<Value>, Fault> {
        self.advance();
        let mut values = Vec::new();
        while !self.takes(end) {
            values.push(each(self)?);
            if !self.takes(b',') && self.next != Token::Mark(end) {
                return self.fault();
            }
            while self.takes(b',') {}
        }
        Ok(values)
    }

    fn simple(&mut self) -> Result<Value, Fault> {
        let value = match self.next {
            Token::Bool(value) => Value::Bool(value),
            Token::Int(value) => Value::Int(value),
            Token::Int64(value) => Value::Int64(value),
            Token::Float(value) => Value::Float(value),
            Token::Text(_) => return Ok(Value::Text(self.text())),
            _ => return self.fault(),
        };
        self.advance();
        Ok(value)
    }

    /// Strings side by side are one.
    fn text(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Token::Text(text) = &mut self.next {
            whole.append(text);
            self.advance();
        }
        whole
    }
}
