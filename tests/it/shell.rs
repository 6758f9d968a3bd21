//! What a shell and `man` know of the command line: files that are made from its definition, and held to it.

use std::io::{self, Write as _};
use std::process::Command;

use clap_complete::Shell;
use proxysql_agent::cli;

use crate::support::{document, held};

const NAME: &str = "proxysql-agent";

#[test]
fn completions_are_those_of_the_command_line() {
    for (shell, suffix) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut cli::command(), NAME, &mut text);
        // clap_complete 4.6 takes the dash in a name for the end of it in one place, and for a letter in another.
        let text = String::from_utf8(text).unwrap().replace("proxysql__subcmd__agent", "proxysql__agent");
        held(&format!("build/completions/{NAME}.{suffix}"), &(text.trim_end().to_owned() + "\n"));
    }
}

#[test]
fn the_manual_page_is_that_of_the_command_line() {
    let (command, mut text) = (cli::command(), Vec::new());
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut text).unwrap();
    man.render_name_section(&mut text).unwrap();
    man.render_synopsis_section(&mut text).unwrap();
    // Not as clap_mangen has it, which points to a page of its own for each.
    writeln!(text, ".SH COMMANDS").unwrap();
    for command in command.get_subcommands() {
        let about = command.get_about().unwrap().to_string().replace('-', "\\-");
        writeln!(text, ".TP\n\\fB{}\\fR\n{about}", command.get_name()).unwrap();
    }
    man.render_options_section(&mut text).unwrap();
    man.render_extra_section(&mut text).unwrap();
    held(&format!("build/{NAME}.1"), &String::from_utf8(text).unwrap());
}

/// What bash offers for the last of these words.
fn offers(words: &[&str]) -> io::Result<Vec<String>> {
    let script = format!(
        "{}\nCOMP_WORDS=({}); COMP_CWORD={}; _proxysql__agent {NAME} \"{}\" \"{}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        document(&format!("build/completions/{NAME}.bash")),
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output()?;
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
}

#[test]
fn bash_completes_sub_commands_and_keys() {
    match offers(&[NAME, "sta"]) {
        Ok(offered) => assert_eq!(offered, ["status"]),
        Err(error) => return eprintln!("no bash here ({error}); completion is not tried"),
    }
    assert_eq!(offers(&[NAME, "--core.allow"]).unwrap(), ["--core.allow_empty"]);
    assert_eq!(offers(&[NAME, "status", "--wat"]).unwrap(), ["--watch"]);
}
