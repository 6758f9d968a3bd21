use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::domain::proxysql::module::Shape;

fn read(text: impl AsRef<[u8]>) -> Result<Vec<Setting>, Fault> {
    parse(text.as_ref(), &Texts::new()).settings
}

fn value(text: &str) -> Value {
    let mut settings = read(format!("a = {text}")).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    assert_eq!(settings.len(), 1, "{text}");
    settings.remove(0).value
}

fn text(text: impl AsRef<[u8]>) -> Value {
    Value::Text(text.as_ref().to_vec())
}

#[test]
fn numbers_are_what_libconfig_makes_of_them() {
    for (written, meant) in [
        ("0", Value::Int(0)),
        ("010", Value::Int(8)),
        ("-010", Value::Int(-8)),
        ("+7", Value::Int(7)),
        ("0x1F", Value::Int(31)),
        ("0XffFFffFF", Value::Int(-1)),
        ("0x1FFFFFFFFL", Value::Int64(0x1_FFFF_FFFF)),
        ("12L", Value::Int64(12)),
        ("010LL", Value::Int64(10)),
        ("2147483647", Value::Int(i32::MAX)),
        ("2147483648", Value::Int64(2_147_483_648)),
        ("1.", Value::Float(1.0)),
        (".5", Value::Float(0.5)),
        (".", Value::Float(0.0)),
        ("-1e3", Value::Float(-1000.0)),
        ("1.5E-1", Value::Float(0.15)),
        ("TRUE", Value::Bool(true)),
        ("fAlse", Value::Bool(false)),
    ] {
        assert_eq!(value(written), meant, "{written}");
    }
    for wrong in ["08", "1e", "0x", "0b101", "12l", "99999999999999999999", "+", "yes", "1 2", "--1"] {
        assert!(read(format!("a = {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn strings_have_their_escapes_and_those_side_by_side_are_one() {
    assert_eq!(value(r#""a\n\r\t\f\\\"\x41\xe9\q\x4z""#), text(b"a\n\r\t\x0c\\\"A\xe9\\q\\x4z"));
    assert_eq!(value("\"a\" # one\n /* two */ \"b\" // three\n\"c\""), text("abc"));
    assert_eq!(value("\"over\ntwo lines\""), text("over\ntwo lines"));
    assert_eq!(value(r#""ab\x00cd" "ef""#), text("abef"));
    let latin = read(b"# r\xe8gles\na = \"caf\xe9\" /* \xff */ b = 1").unwrap();
    assert_eq!((&latin[0].value, &latin[1].value), (&text(b"caf\xe9"), &Value::Int(1)));
}

#[test]
fn separators_are_free_and_lists_end_with_as_many_commas_as_they_like() {
    let settings =
        read("a=1 b:2; c = 3, d = { e=1; f=2, g=3 }, h = ( 1, 2,, ) i = [ 1, 2, ] j = () k = {} *l-1_* = 0").unwrap();
    assert_eq!(settings.iter().map(|s| s.name.as_str()).collect::<String>(), "abcdhijk*l-1_*");
    assert_eq!(settings[4].value, Value::List(vec![Value::Int(1), Value::Int(2)]));
    assert_eq!(settings[5].value, Value::Array(vec![Value::Int(1), Value::Int(2)]));
    for wrong in [
        "a",
        "a=",
        "=1",
        "a=1;;",
        ";",
        "a=(,1)",
        "a=(1 2)",
        "a=[(1)]",
        "a=[1,\"x\"]",
        "a=[1,2L]",
        "a={1}",
        "a={b=1",
        "a=1}",
        "a=1; a=2",
        "a={b=1 b=2}",
        "true=1",
        "1a=1",
        "a=\u{b}1",
        "a=1 \u{e9}",
        "a = \"open",
        "a == 1",
        "a-=1 @",
        "_a=1",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_does_not_end_after_the_last_setting_is_no_fault() {
    for odd in ["a=1 /* open", "a=1 \"open", "a=1 // open", "", "/**/", "a=1 /*/ */ b=2"] {
        assert!(read(odd).is_ok(), "{odd}");
    }
}

fn texts(texts: &[(&str, &str)]) -> Texts {
    texts.iter().map(|(path, text)| (path.as_bytes().to_vec(), Included::Text(text.as_bytes().to_vec()))).collect()
}

#[test]
fn includes_stand_at_the_start_of_a_line_wherever_that_is() {
    let all = texts(&[("users", "{ username=\"a\" },\n"), ("more", "b = 1 # to the end of the line"), ("q\"x", "q=1")]);
    let main = "users = (\n@include \"users\"\n \t @include\t \"users\"\n{ username=\"b\" })\n@include \"more\" c = 2\nd = 3\n@include \"q\\\"x\"\n";
    let parsed = parse(main.as_bytes(), &all);
    let settings = parsed.settings.unwrap();
    assert_eq!(settings.iter().map(|s| s.name.as_str()).collect::<String>(), "usersbdq", "the comment went on");
    assert_eq!(settings[0].value.parts().len(), 3);
    assert!(read("a=1 @include \"users\"").is_err(), "not at the start");
    assert!(read("@include\"users\"").is_err(), "no space");
    assert!(read("# @include \"users\"\na=1").unwrap().len() == 1);
}

#[test]
fn what_is_included_and_not_there_is_wanted_or_said() {
    let parsed = parse(b"a=(\n@include \"x\"\n)\n@include \"y\"\n@include \"z\"\n", &{
        let mut all = Texts::new();
        all.insert(b"y".to_vec(), Included::Unseen("gone".into()));
        all.insert(b"z".to_vec(), Included::Directory);
        all
    });
    assert_eq!(parsed.wanted, [b"x".to_vec()].into());
    assert_eq!(parsed.unseen, [(b"y".to_vec(), "gone".to_owned())].into());
    let reading = Reading::new(parsed, Vec::new());
    assert!(reading.deadly(Module::MysqlUsers).unwrap().contains("z, which is a directory"));
    assert!(matches!(reading.is_blind(), Some(Blind::Unseen { .. })));
}

#[test]
fn texts_that_include_themselves_come_to_an_end() {
    let deep = parse(b"@include \"a\"\n", &texts(&[("a", "@include \"a\"\n")]));
    assert_eq!(deep.settings.unwrap_err().reason, "include file nesting too deep");
    let chain: Vec<(String, String)> = (1..=10)
        .map(|i| (i.to_string(), if i == 10 { "z=1".into() } else { format!("@include \"{}\"", i + 1) }))
        .collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert!(parse(b"@include \"1\"", &texts(&chain)).settings.is_ok(), "ten are not too deep");
    let wide = "@include \"b\"\n".repeat(50);
    let bomb = texts(&[("a", &wide), ("b", "\n")]);
    assert!(parse("@include \"a\"\n".repeat(100).as_bytes(), &bomb).settings.is_err());
    let nested = "(".repeat(100_000);
    assert!(read(format!("a={nested}")).is_err());
}

#[test]
fn a_fault_has_its_place() {
    let parsed = parse(b"a=1\n@include \"users.cnf\"\n", &texts(&[("users.cnf", "b=1\n\nc=\n}")]));
    assert_eq!(parsed.settings.unwrap_err().to_string(), "line 4 of users.cnf: syntax error");
}

fn reading(text: &str) -> Reading {
    Reading::new(parse(text.as_bytes(), &Texts::new()), Vec::new())
}

#[test]
fn sections_are_those_at_the_top_and_others_are_named() {
    let file = reading(
        r#"
        datadir="/x" # mysql_users=
        // mysql_servers=
        /* scheduler= */ admin_variables = { mysql_users="a=b \" (" ; n=4 }
        mysql_servers: ( { a=1 }, { b=(1, 2) } );
        errors = 5
        proxysql_servers = ( )
        mysql_collations = ( )
        restapi = ( )
        debug_filters = [ "x" ]
        pgsql_users = ( )
        mysql_query_rules
          = ()
    "#,
    );
    for (module, has) in [
        (Module::MysqlServers, true),
        (Module::MysqlUsers, false),
        (Module::Scheduler, false),
        (Module::Restapi, true),
        (Module::MysqlQueryRules, true),
    ] {
        assert_eq!(file.has_section(module), Some(has), "{module}");
    }
    let known: Vec<Module> = Module::in_file().filter(|module| !module.words().starts_with("PGSQL")).collect();
    assert_eq!(file.others(&known), ["mysql_collations", "debug_filters", "pgsql_users"]);
    assert_eq!(reading("mysql_users = (").has_section(Module::MysqlUsers), None);
    let killing = reading("mysql_variables = ( { threads=1 } ) admin_variables = () ");
    assert!(killing.deadly(Module::MysqlVariables).is_some());
    assert_eq!((killing.deadly(Module::AdminVariables), killing.deadly(Module::MysqlUsers)), (None, None));
}

const SERVERS: Table = Module::MysqlServers.tables()[0];
const USERS: Table = Module::MysqlUsers.tables()[0];
const RULES: Table = Module::MysqlQueryRules.tables()[0];

use crate::domain::proxysql::module::Table;

fn rows(columns: &[&str], rows: &[&[&str]]) -> Vec<NamedRow> {
    let row = |values: &&[&str]| columns.iter().zip(*values).map(|(c, v)| ((*c).to_owned(), (*v).to_owned())).collect();
    rows.iter().map(row).collect()
}

/// What is passed over, each with whether it costs anything.
fn found(
    table: Table,
    entries: &str,
    columns: &[&str],
    memory: &[&[&str]],
    runtime: &[&[&str]],
) -> Vec<(String, bool)> {
    let file = reading(&format!("{} = ( {entries} )", table.name));
    let seen = Seen { memory: rows(columns, memory), runtime: rows(columns, runtime) };
    let found = passed_over(table, file.section(table.name).unwrap(), &seen);
    found.into_iter().map(|passed| (passed.to_string(), passed.costs)).collect()
}

#[test]
fn an_entry_that_is_not_there_costs_the_row_that_it_may_mean() {
    let columns = ["hostgroup_id", "hostname", "port", "weight"];
    let file = "{ address=\"a\", hostgroup=10 }, { address=\"b\", port=3306, hostgroup=\"20\" }";
    let a: &[&str] = &["10", "a", "3306", "1"];
    let b = "mysql_servers 20/b/3306 (entry 2)".to_owned();
    // The monitor may have moved it.
    for hostgroup in ["20", "10"] {
        let at: &[&str] = &[hostgroup, "b", "3306", "1"];
        assert_eq!(found(SERVERS, file, &columns, &[a], &[a, at]), [(b.clone(), true)]);
    }
    let other_port: &[&str] = &["20", "b", "3307", "1"];
    assert_eq!(found(SERVERS, file, &columns, &[a], &[a, other_port]), [(b, false)]);
    // One without a name may mean any that goes.
    let nameless = "{ hostgroup=10, adress=\"a\" }";
    assert_eq!(found(SERVERS, nameless, &columns, &[], &[a]), [("mysql_servers 10/?/3306 (entry 1)".to_owned(), true)]);
    assert_eq!(found(SERVERS, "{ address=\"a\", hostgroup=10 }", &columns, &[a], &[a]), []);
}

#[test]
fn a_value_that_is_not_there_costs_where_the_row_would_change_by_it() {
    let columns = ["hostgroup_id", "hostname", "port", "weight"];
    let file = "{ address=\"a\", hostgroup=10, weight=\"7\" }";
    let (one, seven): (&[&str], &[&str]) = (&["10", "a", "3306", "1"], &["10", "a", "3306", "7"]);
    let weight = "mysql_servers 10/a/3306 (weight)".to_owned();
    assert_eq!(found(SERVERS, file, &columns, &[one], &[one]), [(weight.clone(), false)]);
    assert_eq!(found(SERVERS, file, &columns, &[one], &[seven]), [(weight, true)]);
    assert_eq!(
        found(SERVERS, "{ address=\"a\", hostgroup=10, weight=\"1\" }", &columns, &[one], &[seven]),
        [],
        "it is 1"
    );
    // A port that is no number is the default one: another server.
    let port = "{ address=\"a\", hostgroup=10, port=3307L }";
    let (wrong, right): (&[&str], &[&str]) = (&["10", "a", "3306", "1"], &["10", "a", "3307", "1"]);
    let found = found(SERVERS, port, &columns, &[wrong], &[right]);
    assert_eq!(found, [("mysql_servers 10/a/3307 (entry 1)".to_owned(), true)]);
}

#[test]
fn of_two_entries_with_one_key_the_last_counts() {
    let columns = ["username", "password", "active"];
    let (old, new): (&[&str], &[&str]) = (&["app", "old", "1"], &["app", "new", "1"]);
    let twice = "{ username=\"app\" password=\"old\" }, { username=\"app\" password=\"new\" }";
    let again = "mysql_users app (entry 1, which is there again)".to_owned();
    assert_eq!(found(USERS, twice, &columns, &[new], &[old]), [(again.clone(), false)]);
    // The last one was not taken.
    let password = "mysql_users app (password)".to_owned();
    let quoted = twice.replace("\"new\"", "\"n'ew\"");
    assert_eq!(found(USERS, &quoted, &columns, &[old], &[new]), [(again.clone(), false), (password.clone(), true)]);
    assert_eq!(found(USERS, &quoted, &columns, &[old], &[old]), [(again, false), (password, false)]);
}

#[test]
fn a_user_who_is_told_apart_by_a_quote_or_a_truth_value() {
    let columns = ["username", "password", "active", "backend"];
    let (front, back): (&[&str], &[&str]) = (&["app", "pw", "1", "0"], &["app", "pw", "1", "1"]);
    let memory: &[&str] = &["app", "pw", "1", "1"];
    let quoted = found(USERS, "{ username=\"app\" password=\"p'w\" }", &columns, &[], &[front, back]);
    assert_eq!(quoted, [("mysql_users app (entry 1)".to_owned(), true)]);
    let inactive =
        found(USERS, "{ username=\"app\" password=\"pw\" active=false }", &columns, &[memory], &[front, back]);
    assert_eq!(inactive, [("mysql_users app (active)".to_owned(), false)]);
    assert_eq!(found(USERS, "{ username=\"app\" active=true }", &columns, &[memory], &[front, back]), []);
    let group: &[&str] = &["app", "-1"];
    let below = found(
        USERS,
        "{ username=\"app\" default_hostgroup=-1 }",
        &["username", "default_hostgroup"],
        &[group],
        &[&["app", "0"]],
    );
    assert_eq!(below, [("mysql_users app (entry 1)".to_owned(), true)]);
}

#[test]
fn a_rule_with_a_wildcard_in_the_middle_does_not_take_effect() {
    let columns = ["rule_id", "client_addr", "flagOUT"];
    let file = "{ rule_id=7 client_addr=\"10.%.1\" }, { rule_id=8 client_addr=\"10.%\" flagOUT=-1 }";
    let (seven, eight): (&[&str], &[&str]) = (&["7", "10.%.1", ""], &["8", "10.%", ""]);
    let rule = "mysql_query_rules 7 (entry 1)".to_owned();
    assert_eq!(found(RULES, file, &columns, &[seven, eight], &[eight, &["7", "", ""]]), [(rule.clone(), true)]);
    assert_eq!(found(RULES, file, &columns, &[seven, eight], &[eight]), [(rule, false)]);
}

#[test]
fn variables_that_are_not_in_memory_as_they_are_named_stay() {
    let file = reading(r#"v = { a="x\"y" b=true c=0x10 d=5000000000 e="" f="it's" }"#);
    let memory = [("m-a", "old"), ("m-b", "true"), ("m-c", "16"), ("m-d", ""), ("m-e", ""), ("m-f", "it's")];
    let memory = memory.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let settings = file.section("v").unwrap().settings();
    let runtime = [("m-d", "5000000000".to_owned())].map(|(name, value)| (name.to_owned(), value)).into();
    let found = passed_over_variables("m-", settings, &memory, &runtime);
    let found: Vec<_> = found.iter().map(|passed| (passed.to_string(), passed.costs)).collect();
    assert_eq!(found, [("m-a".to_owned(), true), ("m-d".to_owned(), false)], "what is in effect already costs nothing");
    assert!(names_variable("m-", settings, "M-b") && !names_variable("m-", settings, "m-g"));
}

#[test]
fn a_row_that_no_entry_can_mean_is_of_another_file() {
    let columns = ["hostgroup_id", "hostname", "port"];
    let file =
        "{ address=\"a\" hostgroup=10 port=0xCEA }, { hostgroup=20 address=\"o''b\" }, { address=\"any\" port=1 }";
    let text = format!("mysql_servers = ( {file} )");
    let reading = reading(&text);
    let section = reading.section("mysql_servers").unwrap();
    let row = |values: [&str; 3]| -> NamedRow {
        columns.iter().zip(values).map(|(column, value)| ((*column).to_owned(), value.to_owned())).collect()
    };
    let own = [row(["10", "a", "3306"]), row(["20", "o'b", "3306"]), row(["7", "any", "1"])];
    assert_eq!(unnamed(SERVERS, section, &own), Vec::<String>::new());
    let others = [row(["20", "a", "3306"]), row(["10", "a", "3307"])];
    assert_eq!(unnamed(SERVERS, section, &others), ["mysql_servers 20/a/3306", "mysql_servers 10/a/3307"]);
}

#[test]
fn only_columns_that_matter_are_read() {
    let file = reading("mysql_servers = ( { address=\"a\" weight=1 nonsense=2 } )");
    let there = ["hostgroup_id", "hostname", "port", "weight", "comment"];
    let wanted = wanted(SERVERS, file.section("mysql_servers").unwrap(), there.into_iter());
    assert_eq!(wanted, ["hostgroup_id", "hostname", "port", "weight"]);
    assert_eq!(SERVERS.shape, Shape::Servers);
}

/// A text that is read as these settings.
fn print(settings: &[Setting], out: &mut String) {
    for Setting { name, value } in settings {
        out.push_str(name);
        out.push('=');
        print_value(value, out);
        out.push(';');
    }
}

fn print_value(value: &Value, out: &mut String) {
    let (open, values, close) = match value {
        Value::Bool(value) => return out.push_str(&value.to_string()),
        Value::Int(value) => return out.push_str(&value.to_string()),
        Value::Int64(value) => return write!(out, "{value}L").unwrap(),
        Value::Float(value) => return write!(out, "{value:e}").unwrap(),
        Value::Text(bytes) => {
            out.push('"');
            for byte in bytes {
                write!(out, "\\x{byte:02x}").unwrap();
            }
            return out.push('"');
        }
        Value::Group(settings) => {
            out.push('{');
            print(settings, out);
            return out.push('}');
        }
        Value::List(values) => ('(', values, ')'),
        Value::Array(values) => ('[', values, ']'),
    };
    out.push(open);
    for value in values {
        print_value(value, out);
        out.push(',');
    }
    out.push(close);
}

fn values() -> impl Strategy<Value = Value> {
    let texts = || prop::collection::vec(1_u8.., 0..12).prop_map(Value::Text);
    let simple = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int64),
        (-1e300..1e300).prop_map(Value::Float),
        texts(),
    ];
    let array = prop_oneof![
        prop::collection::vec(any::<i32>().prop_map(Value::Int), 0..4),
        prop::collection::vec(texts(), 0..4),
    ];
    prop_oneof![simple, array.prop_map(Value::Array)].prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            settings(inner).prop_map(Value::Group)
        ]
    })
}

fn settings(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<Setting>> {
    let named = prop::collection::btree_map("[A-Za-z*][-A-Za-z0-9_*]{2,6}x", values, 0..5);
    named.prop_map(|named| named.into_iter().map(|(name, value)| Setting { name, value }).collect())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_it_was(settings in settings(values())) {
        let mut text = String::new();
        print(&settings, &mut text);
        prop_assert_eq!(read(&text), Ok(settings));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "a", "b=", "=", "{", "}", "(", ")", "[", "]", ",", ";", "\"", "\\", "/*", "*/", "#", "\n", "\n@include \"x\"", "1", "0x",
            "1e", ".", "true", "'", "\0", "é", "@include", "-", "08L",
        ]), 0..40)
    ) {
        let included = Texts::from([(b"x".to_vec(), Included::Text(words.concat().into_bytes()))]);
        let parsed = parse(words.concat().as_bytes(), &included);
        let reading = Reading::new(parsed, Vec::new());
        for table in Module::in_file().flat_map(Module::tables) {
            if let Some(section) = reading.section("a").or(reading.section("b")) {
                let _ = passed_over(*table, section, &Seen::default());
            }
        }
    }
}
