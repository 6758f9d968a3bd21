//! What a shell and `man` know of the command line: files that are made from its definition, and held to it.

use std::io::{self, Write as _};
use std::process::Command;

use clap_complete::Shell;
use proxysql_agent::cli;

use crate::support::{document, held};

const NAME: &str = "proxysql-agent";

const DESCRIPTION: &str = "Runs as a sidecar beside each ProxySQL. On a core it maintains the cluster member list and publishes ProxySQL's
configuration file; on a satellite it watches that the node keeps syncing from the cores; on both it answers probes, drains clients on
shutdown, and reports status and metrics.";

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

/// A section of the manual page: the rows of a table of the documentation, the first column in bold.
fn section(out: &mut Vec<u8>, title: &str, part: &str) {
    let page = document("docs/configuration.md");
    let (_, rest) = page.split_once(&format!("<!-- {part}:begin -->\n")).unwrap_or_else(|| panic!("no table {part}"));
    let (table, _) = rest.split_once(&format!("<!-- {part}:end -->")).unwrap();
    let roff = |text: &str| text.trim().replace('`', "").replace('\\', "\\e").replace('-', "\\-");
    writeln!(out, ".SH {title}").unwrap();
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [name, meaning] = cells[..] else { panic!("{row}: expected two columns") };
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(name), roff(meaning)).unwrap();
    }
}

#[test]
fn the_manual_page_is_that_of_the_command_line() {
    let (command, mut text) = (cli::command(), Vec::new());
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut text).unwrap();
    man.render_name_section(&mut text).unwrap();
    man.render_synopsis_section(&mut text).unwrap();
    writeln!(text, ".SH DESCRIPTION\n{DESCRIPTION}").unwrap();
    // Not as clap_mangen has it, which points to a page of its own for each.
    writeln!(text, ".SH COMMANDS").unwrap();
    for command in command.get_subcommands() {
        let about = command.get_about().unwrap().to_string().replace('-', "\\-");
        writeln!(text, ".TP\n\\fB{}\\fR\n{about}", command.get_name()).unwrap();
        for own in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            let (Some(long), Some(help)) = (own.get_long(), own.get_help()) else { continue };
            if long != "help" {
                writeln!(text, ".RS\n.TP\n\\fB\\-\\-{long}\\fR\n{}\n.RE", help.to_string().replace('-', "\\-"))
                    .unwrap();
            }
        }
    }
    man.render_options_section(&mut text).unwrap();
    section(&mut text, "EXIT STATUS", "exit");
    section(&mut text, "ENVIRONMENT", "environment");
    section(&mut text, "FILES", "files");
    section(&mut text, "SIGNALS", "signals");
    man.render_extra_section(&mut text).unwrap();
    writeln!(text, ".SH SEE ALSO\nproxysql(1), https://github.com/persona\\-id/proxysql\\-agent").unwrap();
    held(&format!("build/{NAME}.1"), &String::from_utf8(text).unwrap());
}

/// What `man` shows of the page, without a complaint of its formatter.
#[test]
fn the_manual_page_is_whole() {
    let page = document(&format!("build/{NAME}.1"));
    for title in
        ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SIGNALS"]
    {
        assert!(page.lines().any(|line| line.replace('"', "") == format!(".SH {title}")), "{title}");
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("build/{NAME}.1"));
    match Command::new("man").args(["--warnings=w", "--local-file"]).arg(path).env("LC_ALL", "C.UTF-8").output() {
        Ok(shown) => assert!(shown.stderr.is_empty(), "{}", String::from_utf8_lossy(&shown.stderr)),
        Err(error) => eprintln!("no man here ({error}); the page is not formatted"),
    }
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
fn bash_completes_subcommands_keys_and_values() {
    match offers(&[NAME, "sta"]) {
        Ok(offered) => assert_eq!(offered, ["status"]),
        Err(error) => return eprintln!("no bash here ({error}); completion is not tried"),
    }
    assert_eq!(offers(&[NAME, "--core.allow"]).unwrap(), ["--core.allow_empty"]);
    assert_eq!(offers(&[NAME, "status", "--wat"]).unwrap(), ["--watch"]);
    assert_eq!(offers(&[NAME, "--run_mode", ""]).unwrap(), ["core", "satellite", "dump"]);
    assert_eq!(offers(&[NAME, "--log.level", "W"]).unwrap(), ["WARN"]);
    assert_eq!(offers(&[NAME, "--core.discovery", "d"]).unwrap(), ["dns"]);
    assert_eq!(offers(&[NAME, "check", "--shutdown.on_sigterm", "de"]).unwrap(), ["detach"]);
}
