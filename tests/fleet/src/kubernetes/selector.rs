//! Label and field selectors, as the API reads them.

use super::pod::PodSpec;

/// What a request asks for: namespace, labels, fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// The fields of a pod that the API selects by.
const FIELDS: [&str; 5] = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase", "status.podIP"];

impl Selector {
    pub(super) fn parse(namespace: Option<String>, labels: &str, fields: &str) -> Result<Self, String> {
        Ok(Self { namespace, labels: parse_labels(labels)?, fields: parse_fields(fields)? })
    }

    /// Whether anything but a namespace narrows the request down.
    pub(super) fn is_narrow(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty()
    }

    pub(super) fn matches(&self, pod: &PodSpec) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace)
            && self.labels.iter().all(|requirement| requirement.holds(pod))
            && self.fields.iter().all(|(field, equal, value)| (field_of(pod, field) == *value) == *equal)
    }
}

impl Requirement {
    fn holds(&self, pod: &PodSpec) -> bool {
        let value = |key: &String| pod.labels.get(key);
        match self {
            Self::In(key, values) => value(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => value(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

fn field_of(pod: &PodSpec, field: &str) -> String {
    match field {
        "metadata.name" => pod.name.clone(),
        "metadata.namespace" => pod.namespace.clone(),
        "spec.nodeName" => pod.node.clone(),
        "status.phase" => pod.phase.clone(),
        _ => pod.ips.first().map(ToString::to_string).unwrap_or_default(),
    }
}

fn parse_fields(text: &str) -> Result<Vec<(String, bool, String)>, String> {
    text.split(',')
        .filter(|term| !term.is_empty())
        .map(|term| {
            let (field, equal, value) = comparison(term).ok_or_else(|| format!("invalid field selector: '{term}'"))?;
            if FIELDS.contains(&field) {
                Ok((field.to_owned(), equal, value.to_owned()))
            } else {
                Err(format!("field label not supported: {field}"))
            }
        })
        .collect()
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    terms(text)
        .into_iter()
        .map(str::trim)
        .filter(|term| !term.is_empty())
        .map(|term| parse_requirement(term).ok_or_else(|| format!("unable to parse requirement: '{term}'")))
        .collect()
}

/// Splits at the commas outside of parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        char == ',' && depth == 0
    })
    .collect()
}

fn parse_requirement(term: &str) -> Option<Requirement> {
    if let Some(values) = term.strip_suffix(')') {
        let (head, values) = values.split_once('(')?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => Some(Requirement::In(label_key(key)?, values)),
            [key, "notin"] => Some(Requirement::NotIn(label_key(key)?, values)),
            _ => None,
        };
    }
    if let Some((key, equal, value)) = comparison(term) {
        let (key, values) = (label_key(key)?, vec![value.to_owned()]);
        return Some(if equal { Requirement::In(key, values) } else { Requirement::NotIn(key, values) });
    }
    match term.strip_prefix('!') {
        Some(key) => label_key(key).map(Requirement::Absent),
        None => label_key(term).map(Requirement::Exists),
    }
}

/// `a=b`, `a==b` and `a!=b`, with whether they ask for equality.
fn comparison(term: &str) -> Option<(&str, bool, &str)> {
    let (key, value) = term.split_once('=')?;
    let (key, equal) = key.strip_suffix('!').map_or((key, true), |key| (key, false));
    Some((key.trim(), equal, value.strip_prefix('=').unwrap_or(value).trim()))
}

fn label_key(key: &str) -> Option<String> {
    let key = key.trim();
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./".contains(char);
    (!key.is_empty() && key.chars().all(plain)).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_select() {
        let pod =
            PodSpec::new("proxysql", "core-0").label("app", "proxysql").label("app.kubernetes.io/component", "core");
        for (selector, expected) in [
            ("", true),
            ("app=proxysql", true),
            ("app==proxysql,app.kubernetes.io/component=core", true),
            ("app=other", false),
            ("app!=other", true),
            ("missing!=anything", true),
            ("app in (a, proxysql),app", true),
            ("app in (a,b)", false),
            ("app notin (a,b), !missing", true),
            ("app notin (proxysql)", false),
            ("missing", false),
            ("!app", false),
        ] {
            let parsed = Selector::parse(None, selector, "").unwrap();
            assert_eq!(parsed.matches(&pod), expected, "{selector}");
        }
        for broken in ["app in proxysql", "in (a)", "a b", "=x", "app foo (x)"] {
            assert!(Selector::parse(None, broken, "").is_err(), "{broken}");
        }
    }

    #[test]
    fn fields_select() {
        let pod = PodSpec::new("proxysql", "core-0");
        let select = |fields| Selector::parse(None, "", fields).map(|selector| selector.matches(&pod));
        assert_eq!(select("metadata.name=core-0,status.phase!=Pending"), Ok(true));
        assert_eq!(select("metadata.name=core-1"), Ok(false));
        assert_eq!(select("spec.color=red"), Err("field label not supported: spec.color".to_owned()));
    }
}
