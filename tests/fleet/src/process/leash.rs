//! No child outlives this process, not even where it is killed by SIGKILL.
//!
//! A shell waits at the end of a pipe whose other end only this process holds. While the pipe is open it is told who is to be
//! killed; when the pipe ends, because this process ended, it kills them. (The kernel's own parent-death signal is sent when the
//! *thread* that started the child ends, and setting it takes unsafe code.)

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

/// Reads `+ PID` and `- PID`; kills at the end of input whom it was told to hold.
const KEEPER: &str = r#"
held=
while read -r what pid; do
    case $what in
    +) held="$held $pid" ;;
    -) rest=; for other in $held; do [ "$other" = "$pid" ] || rest="$rest $other"; done; held=$rest ;;
    esac
done
[ -z "$held" ] || kill -KILL $held 2>/dev/null
"#;

static SHELL: Mutex<Option<Child>> = Mutex::new(None);

/// Holds one child; let go when dropped.
#[derive(Debug)]
pub struct Leash(Pid);

impl Leash {
    /// The child of this id dies with this process.
    pub fn new(pid: Pid) -> io::Result<Self> {
        tell('+', pid)?;
        Ok(Self(pid))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // Without the shell nobody holds it anyway.
        drop(tell('-', self.0));
    }
}

fn tell(what: char, pid: Pid) -> io::Result<()> {
    let mut shell = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    let shell = match &mut *shell {
        Some(shell) => shell,
        none => none.insert(
            Command::new("/bin/sh")
                .args(["-c", KEEPER])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?,
        ),
    };
    let pipe = shell.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    writeln!(pipe, "{what} {}", pid.as_raw_nonzero())
}
