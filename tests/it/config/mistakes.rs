//! Mistakes, what is said about each, and that nothing is contacted.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

use super::Given;

/// A mistake: its name and what makes it.
type Mistake = (&'static str, fn(Given) -> Given);

/// A file with the one run mode and these lines after it.
fn lines(given: Given, text: &str) -> Given {
    given.file(format!("run_mode: core\n{text}\n"))
}

fn flag(given: Given, flag: &str) -> Given {
    given.arg("--run_mode=core").arg(flag)
}

const MISTAKES: &[Mistake] = &[
    ("no run mode", |given| given),
    ("an empty run mode in the environment", |given| given.variable("AGENT_RUN_MODE", "")),
    ("an unknown run mode", |given| given.variable("AGENT_RUN_MODE", "satelite")),
    ("a run mode without its value", |given| given.arg("--run_mode")),
    ("an unknown key in the file", |given| lines(given, "proxysql:\n  adress: 127.0.0.1:6032")),
    ("an unknown section in the file", |given| lines(given, "kore:\n  interval: 3")),
    ("a key outside its section", |given| lines(given, "drain_timeout: 3")),
    ("a key like no other", |given| lines(given, "colour: blue")),
    ("no run mode but in a misspelt variable", |given| {
        given.variable("AGENT_RUNMODE", "core").variable("AGENT_NAME", "x")
    }),
    ("an unknown flag", |given| flag(given, "--core.intervall=3")),
    ("an unknown flag and its value", |given| flag(given, "--proxysql.pasword").arg("hunter2")),
    ("a flag like no other", |given| flag(given, "--verbose")),
    ("a flag for the file", |given| flag(given, "--config=/etc/agent.yaml")),
    ("a flag for the file and its value", |given| flag(given, "--config-file").arg("/etc/agent.yaml")),
    ("a short flag for the file", |given| flag(given, "-c").arg("/etc/agent.yaml")),
    ("a subcommand as a flag", |given| flag(given, "--status")),
    ("a flag of a subcommand without it", |given| flag(given, "--json")),
    ("a short flag", |given| flag(given, "-l")),
    ("a misspelt subcommand, and what follows it", |given| flag(given, "stauts").arg("--json").arg("--adress=h:1")),
    ("a run mode as a subcommand", |given| given.arg("satellite")),
    ("a subcommand that there is not", |given| flag(given, "drain")),
    ("help as a subcommand", |given| flag(given, "help")),
    ("a word that is no flag", |given| flag(given, "hunter2")),
    ("a switch with its value apart", |given| flag(given, "--log.probes").arg("false")),
    ("a flag without its value", |given| flag(given, "--core.interval")),
    ("show-config with a strange value", |given| flag(given, "--show-config=maybe")),
    ("a word for a number", |given| lines(given, "core:\n  interval: often")),
    ("a number with a leading zero", |given| lines(given, "api:\n  port: 08080")),
    ("a negative number in the file", |given| lines(given, "start_delay: -1")),
    ("a negative number as a flag", |given| flag(given, "--core.interval").arg("-5")),
    ("an unknown unit", |given| given.arg("--run_mode=core").variable("AGENT_SATELLITE_INTERVAL", "1h")),
    ("a duration finer than a millisecond", |given| flag(given, "--shutdown.evict_idle_after=0.0001")),
    ("a duration longer than a year", |given| flag(given, "--start_delay=99999999999")),
    ("no time to connect", |given| flag(given, "--proxysql.connect_timeout=0")),
    ("port 0", |given| lines(given, "api:\n  port: 0")),
    ("port 65536", |given| flag(given, "--api.port=65536")),
    ("a Service's variable in place of the port", |given| {
        given.arg("--run_mode=core").variable("AGENT_API_PORT", "tcp://10.96.0.1:8080")
    }),
    ("a switch that is neither on nor off", |given| lines(given, "log:\n  probes: yes")),
    ("an unknown level", |given| flag(given, "--log.level=WARNING")),
    ("an unknown format", |given| lines(given, "log:\n  format: logfmt")),
    ("an address without a port", |given| lines(given, "proxysql:\n  address: 127.0.0.1")),
    ("an address with port 0", |given| lines(given, "proxysql:\n  address: 127.0.0.1:0")),
    ("an IPv6 address without brackets", |given| flag(given, "--proxysql.address=::1:6032")),
    ("a name in brackets", |given| flag(given, "--proxysql.address=[db]:6032")),
    ("a connection string for an address", |given| {
        given.arg("--run_mode=core").variable("AGENT_PROXYSQL_ADDRESS", "radmin:hunter2@127.0.0.1:6032")
    }),
    ("a name to listen on", |given| flag(given, "--api.address=localhost")),
    ("an empty user", |given| lines(given, "proxysql:\n  username: ''")),
    ("a password and a password file", |given| {
        lines(given, "proxysql:\n  password: hunter2").variable("AGENT_PROXYSQL_PASSWORD_FILE", "/run/secrets/admin")
    }),
    ("a drain as long as the whole way down", |given| lines(given, "shutdown:\n  drain_timeout: 60")),
    ("a way down shorter than its drain", |given| {
        lines(given, "shutdown:\n  drain_timeout: 20").arg("--shutdown.shutdown_timeout=10")
    }),
    ("snapshots that are old before they are renewed", |given| flag(given, "--health.refresh=10")),
    ("a selector with a syntax error", |given| flag(given, "--core.selector=app=proxysql,tier in core")),
    ("a selector with a bad label", |given| lines(given, "core:\n  selector: app=-x")),
    ("a selector beside app and component", |given| {
        lines(given, "core:\n  podselector:\n    app: db\n    component: main\n  selector: role=core")
    }),
    ("an unknown discovery", |given| flag(given, "--core.discovery=consul")),
    ("DNS without a name", |given| flag(given, "--core.discovery=dns")),
    ("a list without members", |given| lines(given, "core:\n  discovery: static\n  static_members: ''")),
    ("a name without DNS", |given| lines(given, "core:\n  dns_name: cores.example.com")),
    ("a list beside DNS", |given| {
        lines(given, "core:\n  discovery: dns\n  dns_name: cores").variable("AGENT_CORE_STATIC_MEMBERS", "10.0.0.1")
    }),
    ("a selector beside DNS", |given| {
        flag(given, "--core.discovery=dns").arg("--core.dns_name=cores").arg("--core.selector=a=b")
    }),
    ("an own address among pods", |given| flag(given, "--core.own_address=10.0.0.1")),
    ("an address for a name", |given| flag(given, "--core.discovery=dns").arg("--core.dns_name=10.0.0.1")),
    ("a name with a space", |given| flag(given, "--core.discovery=dns").arg("--core.dns_name=the cores")),
    ("a DNS server without a port", |given| {
        flag(given, "--core.discovery=dns").arg("--core.dns_name=cores").arg("--core.dns_server=10.0.0.1")
    }),
    ("a name in the list", |given| flag(given, "--core.discovery=static").arg("--core.static_members=10.0.0.1,core-2")),
    ("a member twice", |given| flag(given, "--core.discovery=static").arg("--core.static_members=::1 10.0.0.1 ::1")),
    ("a member that is nowhere", |given| {
        flag(given, "--core.discovery=static").arg("--core.static_members=0.0.0.0:6032")
    }),
    ("a namespace that cannot be", |given| flag(given, "--core.podselector.namespace=Proxy_SQL")),
    ("a label value that cannot be", |given| lines(given, "core:\n  podselector:\n    app: proxysql/core")),
    ("a dump to two places", |given| lines(given, "dump:\n  directory: /data").variable("AGENT_DUMP_OUTPUT", "-")),
    ("an unknown compression", |given| flag(given, "--dump.compress=zstd")),
    ("a key twice", |given| lines(given, "api:\n  port: 1\n  port: 2")),
    ("a section twice with the same key", |given| lines(given, "api:\n  port: 1\nAPI.port: 2")),
    ("a list for a value", |given| lines(given, "api:\n  port: [8080]")),
    ("a mapping for a value", |given| lines(given, "proxysql:\n  password:\n    secret: hunter2")),
    ("a value for a section", |given| lines(given, "satellite: 10")),
    ("a file that is a list", |given| given.arg("--run_mode=core").file("- run_mode: core\n")),
    ("a file that is a word", |given| given.arg("--run_mode=core").file("core\n")),
    ("tabs", |given| lines(given, "api:\n\tport: 8080")),
    ("a quote that is not closed", |given| lines(given, "proxysql:\n  password: \"hunter2")),
    ("an alias to nothing", |given| lines(given, "proxysql:\n  password: *hunter2")),
    ("a tag", |given| lines(given, "proxysql:\n  password: !hunter2 x")),
    ("an anchor for a value", |given| lines(given, "proxysql:\n  password: &hunter2")),
    ("a character that begins nothing", |given| lines(given, "proxysql:\n  password: @hunter2")),
    ("wrong indentation", |given| lines(given, "api:\n    port: 1\n  address: '::'")),
    ("two documents", |given| lines(given, "---\nrun_mode: satellite")),
    ("a file that is not UTF-8", |given| given.arg("--run_mode=core").file(b"run_mode: core\n# caf\xe9\n")),
    ("a file that is too large", |given| given.arg("--run_mode=core").file("#".repeat((1 << 20) + 1))),
    ("a file that is a directory", |given| {
        let path = given.directory.path().display().to_string();
        given.arg("--run_mode=core").variable("AGENT_CONFIG_FILE", path)
    }),
    ("a file that is not there", |given| {
        let path = given.directory.path().join("missing.yaml");
        given.arg("--run_mode=core").variable("AGENT_CONFIG_FILE", path)
    }),
    ("many at once", |given| {
        lines(given, "api: {port: 0}\ncolour: blue\nlog:\n  level: LOUD")
            .variable("AGENT_CORE_INTERVAL", "x")
            .variable("AGENT_API_PROT", "1")
            .arg("--dump.top=-1")
            .arg("--colour")
    }),
];

fn made(make: fn(Given) -> Given) -> Given {
    make(Given::new())
}

fn message(given: &Given, text: &str) -> String {
    text.replace(&given.path().display().to_string(), "FILE")
        .replace(&given.directory.path().display().to_string(), "DIR")
}

#[test]
fn each_mistake_has_its_message() {
    let mut all = String::new();
    for (name, make) in MISTAKES {
        let given = made(*make);
        let errors = message(&given, &given.errors());
        assert!(!errors.contains("hunter2"), "{name}: {errors}");
        let (_, lines) = errors.split_once('\n').expect("a header and a line for each mistake");
        let _ = writeln!(all, "{name}\n{lines}\n");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn each_mistake_ends_the_process_before_anything_is_contacted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address").to_string();
    for (name, make) in MISTAKES {
        let mut given = made(*make);
        let has = |given: &Given, variable: &str| given.environment.iter().any(|(name, _)| name == variable);
        if !has(&given, "AGENT_CONFIG_FILE") {
            // Whatever this machine has in its default places.
            given = given.file("");
        }
        if !has(&given, "AGENT_PROXYSQL_ADDRESS") {
            given = given.variable("AGENT_PROXYSQL_ADDRESS", &address);
        }
        let output = Command::new(env!("CARGO_BIN_EXE_proxysql-agent"))
            .args(&given.args[1..])
            .env_clear()
            .envs(given.environment.clone())
            .current_dir(given.directory.path())
            .output()
            .expect("the agent");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert_eq!(output.stdout, b"", "{name}");
        assert_eq!(stderr.trim_end(), given.errors(), "{name}");
        let contact = listener.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(contact, Err(std::io::ErrorKind::WouldBlock), "{name} was not the end");
    }
}

/// `AGENT_` is a prefix that many tools have; the Go agent passes over what it does not know.
#[test]
fn a_variable_of_another_tool_is_a_warning_and_a_misspelt_one_is_recognised() {
    let warnings = |variables: &[(&str, &str)]| {
        let given = Given::new().arg("--run_mode=core");
        let given = variables.iter().fold(given, |given, (name, value)| given.variable(*name, *value));
        given.load().warnings
    };
    assert_eq!(
        warnings(&[("AGENT_HOST", "hunter2"), ("AGENT_WORKFOLDER", "/hunter2"), ("AGENT_OS\u{1b}", "x")]),
        ["AGENT_HOST, AGENT_OS\\u{1b}, AGENT_WORKFOLDER are not variables of this agent, and ignored"]
    );
    for (name, meant) in [
        ("AGENT_NAME", "AGENT_CORE_DNS_NAME"),
        ("AGENT_PROXYSQL_PASSWD", "AGENT_PROXYSQL_PASSWORD"),
        ("AGENT_PASSWORD", "AGENT_PROXYSQL_PASSWORD"),
        ("AGENT_CONFIGFILE", "AGENT_CONFIG_FILE"),
        ("AGENT_SHUTDOWN_DRAIN_TIMOUT", "AGENT_SHUTDOWN_DRAIN_TIMEOUT"),
        ("AGENT_RUN_MODE_", "AGENT_RUN_MODE"),
    ] {
        let expected = format!("{name}: not a variable of this agent, and ignored; did you mean {meant}?");
        assert_eq!(warnings(&[(name, "hunter2")]), [expected]);
    }
}

/// It is said where an operator looks, and the agent runs.
#[test]
fn check_shows_what_is_ignored() {
    let given = Given::new().file("run_mode: core\n").variable("AGENT_HOST", "10.0.0.1");
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
    let output = command.arg("check").env_clear().envs(given.environment.clone()).output().expect("the agent");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && said.contains("AGENT_HOST is not a variable of this agent"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_a_mistake() {
    use std::os::unix::fs::PermissionsExt as _;
    let given = Given::new().file("run_mode: core\n");
    fs::set_permissions(given.path(), fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::read(given.path()).is_ok() {
        return; // root reads everything
    }
    let errors = given.errors();
    assert!(errors.contains("AGENT_CONFIG_FILE: ") && errors.contains("cannot be read: Permission denied"), "{errors}");
}

#[cfg(unix)]
#[test]
fn what_is_not_text_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = || std::ffi::OsString::from_vec(b"\xff\xfe".to_vec());
    let errors = Given::new().arg("--run_mode=core").variable("AGENT_PROXYSQL_USERNAME", bytes()).errors();
    assert!(errors.contains("AGENT_PROXYSQL_USERNAME: proxysql.username is not UTF-8 text"), "{errors}");
    let errors = Given::new().arg("--run_mode=core").arg("--proxysql.username").arg(bytes()).errors();
    assert!(errors.contains("--proxysql.username: proxysql.username is not UTF-8 text"), "{errors}");
    assert!(Given::new().arg("--run_mode=core").arg(bytes()).errors().contains("argument 2: not a flag"));
}

#[test]
fn what_is_thin_is_a_warning() {
    let warnings = |text: &str| lines(Given::new(), text).load().warnings;
    assert_eq!(
        warnings("shutdown: {drain_timeout: 57}"),
        [
            "shutdown.propagation_delay and shutdown.drain_timeout are 62 s together, which reaches shutdown.shutdown_timeout, 60 s; \
          the drain may be cut short"
        ]
    );
    assert_eq!(warnings("dump: {reset: true, top: 3}").len(), 1);
    assert_eq!(warnings("dump: {reset: true, output: '-'}").len(), 1);
    assert_eq!(warnings("interfaces: {a: [b]}").len(), 1);
}
