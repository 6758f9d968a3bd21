//! The stand-in beside the real thing: one scenario, run on embedded nodes always, and on the binary that `PROXYSQL_BIN`
//! names where it does.

mod conformance {
    pub mod bench;
    mod commands;
    mod config_file;
    mod endings;
    mod experiments;
    mod layers;
    mod scripts;
    mod side_by_side;
    mod statements;
    mod traffic;
    mod watching;
}
