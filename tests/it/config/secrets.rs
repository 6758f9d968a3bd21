//! A password that is nowhere to be read, whatever else is wrong.

use std::fmt::Write as _;

use proptest::prelude::*;
use proxysql_agent::cli::Invocation;

use super::Given;

/// What no output may contain. Passwords in these tests are this and something around it.
const MARK: &str = "zQ9x";

/// Ways in which a password reaches the process, and ways in which it fails to.
#[derive(Debug, Clone, Copy)]
enum Way {
    Quoted,
    Bare,
    Variable,
    Flag,
    FlagApart,
    WrongKey,
    WrongVariable,
    WrongFlag,
    WrongFlagApart,
    NoFlag,
    InAddress,
    NotAText,
}

const WAYS: &[Way] = &[
    Way::Quoted,
    Way::Bare,
    Way::Variable,
    Way::Flag,
    Way::FlagApart,
    Way::WrongKey,
    Way::WrongVariable,
    Way::WrongFlag,
    Way::WrongFlagApart,
    Way::NoFlag,
    Way::InAddress,
    Way::NotAText,
];

fn given(way: Way, secret: &str, other: &str) -> Given {
    let quoted = serde_json::Value::from(secret).to_string();
    let file = match way {
        Way::Quoted => format!("proxysql:\n  password: {quoted}\n{other}\n"),
        Way::Bare => format!("proxysql:\n  password: {secret}\n{other}\n"),
        Way::WrongKey => format!("proxysql:\n  pasword: {quoted}\n{other}\n"),
        Way::NotAText => format!("proxysql:\n  password: [{quoted}]\n{other}\n"),
        _ => format!("{other}\n"),
    };
    let given = Given::new().file(file);
    match way {
        Way::Variable => given.variable("AGENT_PROXYSQL_PASSWORD", secret),
        Way::WrongVariable => given.variable("AGENT_PROXYSQL_PASSWD", secret),
        Way::Flag => given.arg(format!("--proxysql.password={secret}")),
        Way::FlagApart => given.arg("--proxysql.password").arg(secret),
        Way::WrongFlag => given.arg(format!("--proxysql.passwd={secret}")),
        Way::WrongFlagApart => given.arg("--proxysql.passwd").arg(secret),
        Way::NoFlag => given.arg(secret),
        Way::InAddress => given.variable("AGENT_PROXYSQL_ADDRESS", format!("radmin:{secret}@127.0.0.1:6032")),
        _ => given,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_secret_is_in_no_output(
        way in prop::sample::select(WAYS),
        before in "[-!&*@%|>'\"#{}\\[\\]:,?~`a \\PC]{0,3}",
        after in "[-!&*@%|>'\"#{}\\[\\]:,?=~` \\PC]{0,12}",
        other in prop::sample::select(vec!["", "run_mode: core", "run_mode: cor", "api: {port: 0}", "a: [", "run_mode: core\nproxysql.password_file: /x"]),
    ) {
        let given = given(way, &format!("{before}{MARK}{after}"), other);
        let mut output = String::new();
        match given.parse() {
            Ok(Invocation::Run(loaded)) => {
                let mut again = given.load().config;
                again.proxysql.password = proxysql_agent::config::Secret::default();
                let change = loaded.config.diff_live(&again);
                let json = serde_json::to_string(&loaded.config).expect("JSON");
                let _ = write!(output, "{loaded:?} {change:?} {json} {} {:?}", given.shown(), loaded.warnings);
                let password = &loaded.config.proxysql.password;
                let _ = write!(output, "{password} {password:?} {password:#?}");
            }
            Ok(other) => { let _ = write!(output, "{other:?}"); }
            Err(errors) => { let _ = write!(output, "{errors} {errors:?}"); }
        }
        prop_assert!(!output.contains(MARK), "{}", output);
    }
}

#[test]
fn a_password_that_looks_like_a_flag_is_not_repeated() {
    for secret in ["--zQ9x", "-zQ9x", "--zQ9x=1", "zQ9x=1"] {
        for way in WAYS {
            if let Err(errors) = given(*way, secret, "").parse() {
                assert!(!errors.to_string().contains(MARK), "{way:?}: {errors}");
            }
        }
    }
}

#[test]
fn a_masked_password_still_shows_whether_there_is_one() {
    let shown = |flag: &str| Given::new().arg("--run_mode=core").arg(flag).shown();
    assert!(shown("--proxysql.password=x").contains("password: \"[redacted]\" "));
    assert!(shown("--proxysql.password=").contains("password: \"\" "));
}
