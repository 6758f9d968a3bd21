//! The syntax of Kubernetes label selectors: enough to refuse at start what the API server would refuse for ever after.

/// Checks a selector: requirements with commas between them. The error says what is wrong with which.
pub(super) fn check(selector: &str) -> Result<(), String> {
    split(selector)?.into_iter().try_for_each(requirement)
}

/// Whether a text may be the value of a label.
pub(super) fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// At the commas outside parentheses.
fn split(selector: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut open) = (0, false);
    for (at, c) in selector.char_indices() {
        match c {
            '(' if open => return Err("a parenthesis within parentheses".to_owned()),
            ')' if !open => return Err("a parenthesis closes that was not opened".to_owned()),
            '(' | ')' => open = c == '(',
            ',' if !open => {
                parts.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if open {
        return Err("a parenthesis is not closed".to_owned());
    }
    parts.push(&selector[start..]);
    Ok(parts)
}

/// `key`, `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key>1`, `key<1`.
fn requirement(text: &str) -> Result<(), String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an empty requirement between commas".to_owned());
    }
    if let Some(name) = text.strip_prefix('!') {
        return key(name.trim());
    }
    let end = text.find(|c: char| c.is_whitespace() || "=!<>(),".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    key(name)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(());
    }
    for operator in ["==", "!=", "="] {
        if let Some(wanted) = rest.strip_prefix(operator) {
            return value(name, wanted.trim());
        }
    }
    for operator in ['<', '>'] {
        if let Some(wanted) = rest.strip_prefix(operator) {
            let number = wanted.trim().parse::<i64>();
            return number.map(drop).map_err(|_| format!("{name} is compared to something that is no whole number"));
        }
    }
    for operator in ["notin", "in"] {
        if let Some(set) = rest.strip_prefix(operator).map(str::trim) {
            let inner = set.strip_prefix('(').and_then(|set| set.strip_suffix(')'));
            let inner = inner.ok_or_else(|| format!("values in parentheses after {name} {operator}"))?;
            return inner.split(',').try_for_each(|wanted| value(name, wanted.trim()));
        }
    }
    Err(format!("=, ==, !=, in, notin, < or > after {name:?}"))
}

fn key(name: &str) -> Result<(), String> {
    let (prefix, short) = name.split_once('/').map_or((None, name), |(prefix, short)| (Some(prefix), short));
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let domain = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(label));
    if domain && is_name(short) { Ok(()) } else { Err(format!("{name:?} is not the key of a label")) }
}

fn value(name: &str, text: &str) -> Result<(), String> {
    if is_value(text) { Ok(()) } else { Err(format!("{text:?} is not a value that the label {name} can have")) }
}

/// Letters, digits and `-._` between letters or digits; 63 at most.
fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_selectors() {
        for good in [
            "app=proxysql",
            "app==proxysql,component!=satellite",
            "app.kubernetes.io/name=proxysql, tier in (core, edge)",
            "tier notin (a)",
            "tier in(a)",
            "x",
            "!x",
            "! x",
            "n>1,m < 3",
            "app=",
            "in=in",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn bad_selectors() {
        for bad in [
            "app=a b",
            "app in core",
            "app in (core",
            "app in core)",
            "app in ((core))",
            "=x",
            "app=x,",
            ",",
            "app~x",
            "app=-x",
            "UPPER.io/x=1",
            "/x=1",
            "a/b/c=1",
            "n>x",
            "app like x",
            "app=\"x\"",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
