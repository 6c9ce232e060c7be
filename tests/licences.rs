//! What may be shipped: every dependency is under a licence of the list below and comes from the registry, never from a repository's
//! moving branch.

use std::process::Command;

use serde_json::Value;

/// Licences under which a dependency may be used in an Apache-2.0 product.
const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// The packages that are built on this platform: what another one needs is not downloaded here.
#[cfg(test)]
fn packages() -> Vec<Value> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let metadata = cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", host, "--manifest-path", manifest]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    metadata["packages"].as_array().expect("packages are a list").clone()
}

#[cfg(test)]
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Whether a choice within the licence expression is allowed. `AND` binds tighter than `OR`; `/` is an old way to write `OR`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut rest = expression.as_str().trim();
    either(&mut rest) && rest.is_empty()
}

fn either(rest: &mut &str) -> bool {
    let mut allowed = both(rest);
    while let Some(after) = rest.strip_prefix("OR ") {
        *rest = after.trim_start();
        allowed |= both(rest);
    }
    allowed
}

fn both(rest: &mut &str) -> bool {
    let mut allowed = one(rest);
    while let Some(after) = rest.strip_prefix("AND ") {
        *rest = after.trim_start();
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &str) -> bool {
    if let Some(after) = rest.strip_prefix('(') {
        *rest = after.trim_start();
        let allowed = either(rest);
        *rest = rest.strip_prefix(')').map_or("unclosed", str::trim_start);
        return allowed;
    }
    let ends = [" OR ", " AND ", ")"].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let (name, after) = rest.split_at(ends);
    *rest = after.trim_start();
    ALLOWED.contains(&name.trim())
}

#[test]
fn expressions_are_read_as_spdx_says() {
    for good in ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR MIT"] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "AGPL-3.0 OR GPL-2.0", "(MIT OR Apache-2.0) AND GPL-3.0", "", "(MIT", "MIT)"] {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not allowed:\n{}", refused.join("\n"));
}

#[test]
fn every_dependency_comes_from_the_registry_or_this_repository() {
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| package["source"].as_str().is_some_and(|source| !source.starts_with("registry+") && !source.starts_with("sparse+")))
        .map(|package| format!("{} from {}", package["name"], package["source"]))
        .collect();
    assert!(refused.is_empty(), "not from a registry:\n{}", refused.join("\n"));
}
