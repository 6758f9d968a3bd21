//! Where the demonstration is shown: a terminal with a live table below the lines, or plain lines.

use std::io::{IsTerminal as _, Write as _, stdout};

use rustix::termios::tcgetwinsize;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// Used where the terminal does not know its width.
const USUAL_WIDTH: usize = 100;

/// The colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Faint,
    Bold,
    Good,
    Bad,
}

impl Colour {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Faint => Some("2"),
            Self::Bold => Some("1"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
        }
    }
}

/// Pieces of text with their colours: one line.
pub(super) type Line = Vec<(Colour, String)>;

/// The terminal, or what stands for it.
pub(super) struct Screen {
    live: bool,
    coloured: bool,
    /// The table as it is drawn at present.
    table: Vec<Line>,
    drawn: usize,
}

impl Screen {
    pub(super) fn new(plain: bool) -> Self {
        let live = !plain && stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let coloured = live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if live {
            print!("{HIDE_CURSOR}");
        }
        Self { live, coloured, table: Vec::new(), drawn: 0 }
    }

    /// Whether there is a table to draw.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Adds a line to the story.
    pub(super) fn say(&mut self, colour: Colour, line: impl Into<String>) {
        let mut out = self.erase();
        let line: Line = vec![(colour, line.into())];
        // The story may wrap: only the table is redrawn.
        out.push_str(&self.render(&line, usize::MAX));
        out.push('\n');
        self.show(out);
    }

    /// Draws this table in the place of the last one.
    pub(super) fn draw(&mut self, table: Vec<Line>) {
        if self.live {
            self.table = table;
            let out = self.erase();
            self.show(out);
        }
    }

    fn show(&mut self, mut out: String) {
        if self.live {
            let width = width();
            for line in &self.table {
                out.push_str(&self.render(line, width));
                out.push('\n');
            }
            self.drawn = self.table.len();
        }
        let mut stdout = stdout().lock();
        // Whoever closed the pipe does not want to know.
        drop(stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()));
    }

    fn erase(&mut self) -> String {
        let drawn = std::mem::take(&mut self.drawn);
        if drawn == 0 { String::new() } else { format!("\x1b[{drawn}A\r\x1b[J") }
    }

    /// A line of no more than this width.
    fn render(&self, line: &Line, width: usize) -> String {
        let mut room = width;
        let mut text = String::new();
        for (colour, piece) in line {
            let piece = piece.chars().take(room).collect::<String>();
            room -= piece.chars().count();
            match colour.code().filter(|_| self.coloured) {
                Some(code) => text.extend(["\x1b[", code, "m", &piece, "\x1b[0m"]),
                None => text.push_str(&piece),
            }
        }
        text
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.live {
            print!("{SHOW_CURSOR}");
        }
    }
}

fn width() -> usize {
    let size = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    if size == 0 { USUAL_WIDTH } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_the_width_and_colours_do_not_count() {
        let line: Line = vec![(Colour::Good, "core-1 ".to_owned()), (Colour::Plain, "running".to_owned())];
        let mut screen = Screen { live: false, coloured: false, table: Vec::new(), drawn: 0 };
        assert_eq!(screen.render(&line, 10), "core-1 run");
        screen.coloured = true;
        assert_eq!(screen.render(&line, 10), "\u{1b}[32mcore-1 \u{1b}[0mrun");
    }
}
