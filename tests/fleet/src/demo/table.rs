//! The fleet at a glance: one line for each node.

use std::collections::BTreeMap;

use proxysql_fleet::rig::{MODULES, Member, Rig, Role, Saying, View, Views};

use super::screen::{Colour, Line};

/// Short names of the modules, in their order.
const SHORT: [&str; 6] = ["adm", "rul", "srv", "usr", "var", "lst"];

pub(super) fn draw(rig: &Rig, views: &Views<'_>) -> Vec<Line> {
    let agreed = agreed(views);
    let mut lines = vec![vec![], header()];
    let roles = [Role::Core, Role::Satellite].into_iter();
    for member in roles.flat_map(|role| rig.members().iter().filter(move |member| member.role == role)) {
        let view = views.iter().find(|(other, _)| other.name == member.name).and_then(|(_, view)| view.as_ref().ok());
        lines.push(row(member, rig.admin_port(), view, &agreed));
    }
    lines
}

/// The checksum of each module that most nodes have.
fn agreed(views: &Views<'_>) -> BTreeMap<&'static str, String> {
    let common = |module: &'static str| {
        let mut counts = BTreeMap::<&str, usize>::new();
        for view in views.iter().filter_map(|(_, view)| view.as_ref().ok()) {
            *counts.entry(view.checksums.get(module)?.checksum.as_str()).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(checksum, _)| (module, checksum.to_owned()))
    };
    MODULES.into_iter().filter_map(common).collect()
}

fn header() -> Line {
    let modules = SHORT.join(" ");
    vec![(
        Colour::Faint,
        format!(
            "{:<13}{:<11}{:<22}{:<16}{:>7}  {modules}  {:<11} last said by the agent",
            "node", "role", "address", "state", "members", "epoch"
        ),
    )]
}

fn row(member: &Member, port: u16, view: Option<&View>, agreed: &BTreeMap<&'static str, String>) -> Line {
    let (state, colour) = state(member, view);
    let address = format!("{}:{port}", member.ip());
    let members = view.map_or("-".to_owned(), |view| view.members.len().to_string());
    let mut line = vec![
        (Colour::Bold, format!("{:<13}", member.name)),
        (Colour::Plain, format!("{:<11}{address:<22}", member.role)),
        (colour, format!("{state:<16}")),
        (Colour::Plain, format!("{members:>7}  ")),
    ];
    for module in MODULES {
        line.push(match view.and_then(|view| view.checksums.get(module)) {
            None => (Colour::Faint, "-   ".to_owned()),
            Some(found) if agreed.get(module) == Some(&found.checksum) => (Colour::Good, "ok  ".to_owned()),
            Some(_) => (Colour::Bad, "x   ".to_owned()),
        });
    }
    let epoch = view
        .and_then(|view| view.checksums.get("proxysql_servers"))
        .map_or("-".to_owned(), |found| found.epoch.to_string());
    line.push((Colour::Plain, format!(" {epoch:<11} ")));
    line.push((Colour::Faint, last_said(member)));
    line
}

fn state(member: &Member, view: Option<&View>) -> (&'static str, Colour) {
    match (member.alive, member.agent.is_some(), view) {
        (false, _, _) if member.listed => ("dead, pod stays", Colour::Bad),
        (false, _, _) => ("dead", Colour::Bad),
        (true, _, None) => ("no answer", Colour::Bad),
        (true, false, Some(_)) => ("no agent", Colour::Bad),
        (true, true, Some(_)) => ("running", Colour::Good),
    }
}

fn last_said(member: &Member) -> String {
    let said = member.agent.iter().flat_map(|agent| agent.said_since(0)).rfind(Saying::is_notable);
    said.map(|saying| saying.to_string()).unwrap_or_default()
}
