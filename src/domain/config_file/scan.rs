//! Words of the language. The rules are those of libconfig's `scanner.l`: the longest word wins, and what begins in one text (a comment,
//! a string) goes on in the one that included it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Included, Parsed, Texts};

/// Texts within texts.
const DEEPEST: usize = 10;
/// Texts in all. libconfig knows no such bound; a file that includes itself twice at each depth would be read for ever.
const MOST_TEXTS: usize = 2_000;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Bool(bool),
    Int(i32),
    Int64(i64),
    Float(f64),
    Text(Vec<u8>),
    /// One of `= , ; { } ( ) [ ]`; `:` is `=`.
    Mark(u8),
    /// Nothing that the language knows, with what to say of it.
    Wrong(&'static str),
    End,
}

/// What the scanner is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanState {
    Initial,
    TrackedAdmin,
    Block,
    Text,
    Include,
}

struct Frame<'a> {
    path: Vec<u8>,
    bytes: &'a [u8],
    at: usize,
}

pub(super) struct Scanner<'a> {
    texts: &'a Texts,
    stack: Vec<Frame<'a>>,
    state: ScanState,
    text: Vec<u8>,
    included: usize,
    /// What it found out about included texts.
    pub(super) found: Parsed,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(main: &'a [u8], texts: &'a Texts) -> Self {
        let found =
            Parsed { settings: Ok(Vec::new()), wanted: BTreeSet::new(), unseen: BTreeMap::new(), directory: None };
        let stack = vec![Frame { path: Vec::new(), bytes: main, at: 0 }];
        Self { texts, stack, state: ScanState::Initial, text: Vec::new(), included: 0, found }
    }

    /// A fault at the place that was read last.
    pub(super) fn fault(&self, reason: &'static str) -> Fault {
        let (file, line) = self.stack.last().map_or((String::new(), 1), |frame| {
            let line = frame.bytes[..frame.at].split(|byte| *byte == b'\n').count();
            (String::from_utf8_lossy(&frame.path).into_owned(), line)
        });
        Fault { file, line, reason }
    }

    pub(super) fn next(&mut self) -> Token {
        loop {
            let Some(frame) = self.stack.last_mut() else { return Token::End };
            let rest = &frame.bytes[frame.at..];
            if rest.is_empty() {
                if self.stack.len() == 1 {
                    return Token::End;
                }
                self.stack.pop();
                continue;
            }
            let token = match self.state {
                ScanState::TrackedAdmin => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    frame.at += end.map_or(rest.len(), |end| end + 1);
                    if end.is_some() {
                        self.state = ScanState::Initial;
                    }
                    None
                }
                ScanState::Block => {
                    let end = rest.windows(2).position(|pair| pair == b"*/");
                    frame.at += end.map_or(rest.len(), |end| end + 2);
                    if end.is_some() {
                        self.state = ScanState::Initial;
                    }
                    None
                }
                ScanState::Text => self.piece_of_text(),
                ScanState::Include => self.piece_of_path(),
                ScanState::Initial => self.word(),
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    /// What is left of the innermost text.
    fn rest(&self) -> &'a [u8] {
        self.stack.last().map_or(&[], |frame| &frame.bytes[frame.at..])
    }

    fn skip(&mut self, bytes: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.at += bytes;
        }
    }

    fn word(&mut self) -> Option<Token> {
        let rest = self.rest();
        let starts_line = self.stack.last().is_none_or(|frame| frame.at == 0 || frame.bytes[frame.at - 1] == b'\n');
        if let Some(length) = include(rest).filter(|_| starts_line) {
            self.skip(length);
            self.state = ScanState::Include;
            return None;
        }
        let (length, token) = match rest[0] {
            b'\n' | b'\r' | 0x0c | b' ' | b'\t' => (1, None),
            b'#' => (1, self.enter(ScanState::TrackedAdmin)),
            b'/' if rest.get(1) == Some(&b'/') => (2, self.enter(ScanState::TrackedAdmin)),
            b'/' if rest.get(1) == Some(&b'*') => (2, self.enter(ScanState::Block)),
            b'"' => (1, self.enter(ScanState::Text)),
            b'=' | b':' => (1, Some(Token::Mark(b'='))),
            mark @ (b',' | b';' | b'{' | b'}' | b'(' | b')' | b'[' | b']') => (1, Some(Token::Mark(mark))),
            b'A'..=b'Z' | b'a'..=b'z' | b'*' => {
                let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_*".contains(byte);
                let length = rest.iter().take_while(|byte| belongs(byte)).count();
                let name = String::from_utf8_lossy(&rest[..length]).into_owned();
                let token = match name.to_ascii_lowercase().as_str() {
                    "true" => Token::Bool(true),
                    "false" => Token::Bool(false),
                    _ => Token::Name(name),
                };
                (length, Some(token))
            }
            _ => number(rest).map_or((1, Some(Token::Wrong("syntax error"))), |(length, token)| (length, Some(token))),
        };
        self.skip(length);
        token
    }

    fn enter(&mut self, state: ScanState) -> Option<Token> {
        self.state = state;
        None
    }

    fn piece_of_text(&mut self) -> Option<Token> {
        let rest = self.rest();
        let plain = rest.iter().take_while(|byte| !b"\"\\".contains(byte)).count();
        if plain > 0 {
            self.text.extend(up_to_nul(&rest[..plain]));
            self.skip(plain);
            return None;
        }
        if rest[0] == b'"' {
            self.skip(1);
            self.state = ScanState::Initial;
            let text = std::mem::take(&mut self.text);
            return Some(Token::Text(up_to_nul(&text).to_vec()));
        }
        let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        let (length, byte) = match rest.get(1) {
            Some(b'n') => (2, b'\n'),
            Some(b'r') => (2, b'\r'),
            Some(b't') => (2, b'\t'),
            Some(b'f') => (2, 0x0c),
            Some(b'\\') => (2, b'\\'),
            Some(b'"') => (2, b'"'),
            Some(b'x' | b'X') => match (hex(rest.get(2)), hex(rest.get(3))) {
                (Some(high), Some(low)) => (4, u8::try_from(high * 16 + low).unwrap_or_default()),
                _ => (1, b'\\'),
            },
            _ => (1, b'\\'),
        };
        self.text.push(byte);
        self.skip(length);
        None
    }

    fn piece_of_path(&mut self) -> Option<Token> {
        let rest = self.rest();
        let plain = rest.iter().take_while(|byte| !b"\"\\".contains(byte)).count();
        if plain > 0 {
            self.text.extend(up_to_nul(&rest[..plain]));
            self.skip(plain);
            return None;
        }
        match (rest[0], rest.get(1)) {
            (b'"', _) => {
                self.skip(1);
                self.state = ScanState::Initial;
                let path = std::mem::take(&mut self.text);
                return self.include(up_to_nul(&path).to_vec());
            }
            (_, Some(byte @ (b'\\' | b'"'))) => {
                self.text.push(*byte);
                self.skip(2);
            }
            // Printed and passed over.
            _ => self.skip(1),
        }
        None
    }

    fn include(&mut self, path: Vec<u8>) -> Option<Token> {
        if self.stack.len() > DEEPEST {
            return Some(Token::Wrong("include file nesting too deep"));
        }
        self.included += 1;
        if self.included > MOST_TEXTS {
            return Some(Token::Wrong("more includes than are followed"));
        }
        match self.texts.get(&path) {
            Some(Included::Text(text)) => self.stack.push(Frame { path, bytes: text, at: 0 }),
            Some(Included::Unseen(reason)) => drop(self.found.unseen.insert(path, reason.clone())),
            Some(Included::Directory) => self.found.directory = Some(path),
            None => drop(self.found.wanted.insert(path)),
        }
        None
    }
}

/// Texts are strings of C where they are put together: the rest of a piece is lost.
fn up_to_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The length of `@include "`, with the spaces around it.
fn include(rest: &[u8]) -> Option<usize> {
    let spaces = |from: usize| rest[from..].iter().take_while(|byte| b" \t".contains(byte)).count();
    let word = spaces(0);
    let after = word + b"@include".len();
    if rest.get(word..after)? != b"@include" {
        return None;
    }
    let quote = after + spaces(after);
    (quote > after && rest.get(quote) == Some(&b'"')).then_some(quote + 1)
}

/// The longest number that there is.
fn number(rest: &[u8]) -> Option<(usize, Token)> {
    let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let suffix = |from: usize| rest[from..].iter().take(2).take_while(|byte| **byte == b'L').count();
    if rest[0] == b'0' && matches!(rest.get(1), Some(b'x' | b'X')) {
        let length = rest[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if length > 0 {
            let text = String::from_utf8_lossy(&rest[2..2 + length]);
            let value = u64::from_str_radix(&text, 16).unwrap_or(u64::MAX);
            return Some(match suffix(2 + length) {
                // As C cuts it.
                #[expect(clippy::cast_possible_truncation, reason = "so does libconfig")]
                0 => (2 + length, Token::Int((value as u32).cast_signed())),
                more => (2 + length + more, Token::Int64(value.cast_signed())),
            });
        }
    }
    let sign = usize::from(b"+-".contains(&rest[0]));
    let whole = sign + digits(sign);
    let has_point = rest.get(whole) == Some(&b'.');
    let mantissa = if has_point { whole + 1 + digits(whole + 1) } else { whole };
    let exponent = if matches!(rest.get(mantissa), Some(b'e' | b'E')) && (has_point || whole > sign) {
        let from = mantissa + 1 + usize::from(matches!(rest.get(mantissa + 1), Some(b'+' | b'-')));
        if from <= rest.len() { Some(from + digits(from)).filter(|end| *end > from) } else { None }
    } else {
        None
    };
    if has_point || exponent.is_some() {
        let length = exponent.unwrap_or(mantissa);
        let text = String::from_utf8_lossy(&rest[..length]);
        return Some((length, Token::Float(text.parse().unwrap_or_default())));
    }
    if whole == sign {
        return None;
    }
    let text = String::from_utf8_lossy(&rest[..whole]);
    let more = suffix(whole);
    if more > 0 {
        let edge = if rest[0] == b'-' { i64::MIN } else { i64::MAX };
        return Some((whole + more, Token::Int64(text.parse().unwrap_or(edge))));
    }
    Some((whole, integer(&text)))
}

/// One that begins with 0 is octal.
fn integer(text: &str) -> Token {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.trim_start_matches('+')), |digits| (-1, digits));
    let radix = if digits.len() > 1 && digits.starts_with('0') { 8 } else { 10 };
    let Ok(value) = i128::from_str_radix(digits, radix).map(|value| value * sign) else {
        return Token::Wrong("syntax error");
    };
    match (i32::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => Token::Int(value),
        (_, Ok(value)) => Token::Int64(value),
        _ => Token::Wrong("syntax error"),
    }
}
