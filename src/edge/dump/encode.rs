//! Records as bytes.

use std::io::{self, Write as _};

use super::Form;
use crate::domain::dump::digest::{DigestValue, header};

/// Turns records into bytes, the header first.
#[derive(Debug)]
pub(super) enum Encoder {
    Csv { writer: Box<csv::Writer<Vec<u8>>>, capacity: usize, begun: bool, length: usize },
    Jsonl { bytes: Vec<u8>, capacity: usize },
}

impl Encoder {
    /// One whose bytes are to be taken at `capacity` bytes or a little more.
    pub(super) fn new(form: Form, capacity: usize) -> Self {
        match form {
            Form::Csv => Self::Csv { writer: Box::new(csv_writer(capacity)), capacity, begun: false, length: 0 },
            Form::Jsonl => Self::Jsonl { bytes: Vec::with_capacity(capacity), capacity },
        }
    }

    pub(super) fn record<'a>(&mut self, values: impl Iterator<Item = DigestValue<'a>>) -> io::Result<()> {
        match self {
            Self::Csv { writer, begun, length, .. } => {
                if !*begun {
                    *begun = true;
                    writer.write_record(header())?;
                }
                for value in values {
                    *length += value.bytes().len() + 1;
                    writer.write_field(value.bytes())?;
                }
                writer.write_record(None::<&[u8]>)?;
                Ok(())
            }
            Self::Jsonl { bytes, .. } => object(bytes, values),
        }
    }

    /// How many bytes there are to be taken, quotes not counted.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Csv { length, .. } => *length,
            Self::Jsonl { bytes, .. } => bytes.len(),
        }
    }

    /// The bytes so far.
    pub(super) fn take(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv { writer, capacity, length, .. } => {
                *length = 0;
                std::mem::replace(&mut **writer, csv_writer(*capacity))
                    .into_inner()
                    .map_err(csv::IntoInnerError::into_error)
            }
            Self::Jsonl { bytes, capacity } => Ok(std::mem::replace(bytes, Vec::with_capacity(*capacity))),
        }
    }
}

fn csv_writer(capacity: usize) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(8 << 10)
        // A record may end a little beyond the mark; growing would double.
        .from_writer(Vec::with_capacity(capacity + capacity / 4))
}

/// `{"pod_name":"a",…}` and a line break. JSON knows only Unicode: a text that is not UTF-8 stands with U+FFFD in the place of what is not,
/// and once more, exact, in hexadecimal under its name and `_hex`.
fn object<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = DigestValue<'a>>) -> io::Result<()> {
    let mut before = b'{';
    for (name, value) in header().zip(values) {
        write!(out, "{}\"{name}\":", char::from(before))?;
        before = b',';
        match value {
            DigestValue::Absent => out.extend_from_slice(b"null"),
            DigestValue::Number(digits) => out.extend_from_slice(digits),
            DigestValue::Time(time) => write!(out, "\"{}\"", String::from_utf8_lossy(&time))?,
            DigestValue::Text(bytes) => {
                serde_json::to_writer(&mut *out, &String::from_utf8_lossy(bytes))?;
                if std::str::from_utf8(bytes).is_err() {
                    write!(out, ",\"{name}_hex\":\"")?;
                    for byte in bytes {
                        write!(out, "{byte:02x}")?;
                    }
                    out.push(b'"');
                }
            }
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}
