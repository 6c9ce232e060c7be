use std::path::Path;

use super::sample::{base_line, statement};
use crate::{FontDirs, TEMPLATE_BYTES_MAX, Template, TemplateFault, Typeset, TypesetError, Typesetter};

fn set_in(directory: &Path, text: &str) -> Result<Typeset, TypesetError> {
    let file = directory.join("mine.typ");
    std::fs::write(&file, text).unwrap();
    Typesetter::new(Template::read(&file)?, &FontDirs::default())?.statement(&statement(vec![base_line(1, "USD", 1_000)]))
}

fn set(text: &str) -> Result<Typeset, TypesetError> {
    set_in(tempfile::tempdir().unwrap().path(), text)
}

fn fault(result: Result<Typeset, TypesetError>) -> TemplateFault {
    let error = result.unwrap_err();
    let message = error.to_string();
    let TypesetError::Template(faults) = error else { panic!("{message}") };
    faults.into_iter().next().unwrap()
}

#[test]
fn a_copy_of_the_standard_template_gives_the_same_bytes() {
    let statement = statement(vec![base_line(1, "USD", 1_000)]);
    let standard = Typesetter::new(Template::standard(), &FontDirs::default()).unwrap().statement(&statement).unwrap();
    assert_eq!(set(include_str!("../../../config/templates/statement.typ")).unwrap(), standard);
}

#[test]
fn a_fault_is_shown_with_file_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.typ").display().to_string();
    let table = [
        ("= Title\n\n#let x = (1, 2\n", "unclosed delimiter", Some((3, 10))),
        ("= Title\n  Ωψ #missing", "unknown variable: missing", Some((2, 7))),
        ("#let s = json(\"statement.json\")\n\n#s.totals.cash_payout_in_euro", "cash_payout_in_euro", Some((3, 11))),
        ("\n#assert(1 == 2, message: \"only for Mondays\")", "only for Mondays", Some((2, 2))),
        ("#datetime.today()", "unable to get the current date", Some((1, 2))),
        ("#import \"@preview/tablex:0.0.9\": *", "templates can't use packages", Some((1, 9))),
        ("#include \"statement.json\"", "not a Typst source file", Some((1, 10))),
        ("#image(\"logo.svg\")", "file not found", Some((1, 8))),
    ];
    for (text, message, place) in table {
        let fault = fault(set_in(directory.path(), text));
        assert!(fault.message.contains(message), "{fault}");
        assert_eq!((fault.line.zip(fault.column), &fault.file), (place, &file), "{fault}");
        let (line, column) = place.unwrap();
        assert!(fault.to_string().starts_with(&format!("{file}:{line}:{column}: ")), "{fault}");
    }
}

#[test]
fn a_syntax_fault_shows_before_any_statement() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.typ");
    std::fs::write(&file, "#let = 1").unwrap();
    assert!(matches!(Typesetter::new(Template::read(&file).unwrap(), &FontDirs::default()), Err(TypesetError::Template(_))));
}

#[test]
fn a_fault_in_a_file_beside_the_template_names_that_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("parts.typ"), "#let a = 1\n#let b = nothing").unwrap();
    let fault = fault(set_in(directory.path(), "#import \"parts.typ\": b\n#b"));
    assert_eq!((fault.file, fault.line), (directory.path().join("parts.typ").display().to_string(), Some(2)));
}

#[test]
fn files_beside_the_template_serve_and_those_elsewhere_do_not() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.typ"), "#let word = \"out\"").unwrap();
    let directory = outside.path().join("templates");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("parts.typ"), "#let word = \"in\"").unwrap();
    set_in(&directory, "#import \"parts.typ\": word\n#word").unwrap();
    for path in ["../secret.typ", "/../secret.typ", "/etc/hostname"] {
        let fault = fault(set_in(&directory, &format!("#read(\"{path}\")")));
        assert_eq!(fault.line, Some(1), "{fault}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_directory_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.txt"), "out").unwrap();
    let directory = outside.path().join("templates");
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), directory.join("link.txt")).unwrap();
    let fault = fault(set_in(&directory, "#read(\"link.txt\")"));
    assert!(fault.message.contains("access denied"), "{fault}");
}

#[test]
fn what_is_no_template_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.typ");
    let error = Template::read(&file).unwrap_err();
    assert!(matches!(&error, TypesetError::TemplateUnreadable { path, .. } if *path == file), "{error}");
    std::fs::write(&file, [0xFF, 0xFE]).unwrap();
    assert!(matches!(Template::read(&file), Err(TypesetError::TemplateUnreadable { .. })));
    std::fs::write(&file, vec![b' '; usize::try_from(TEMPLATE_BYTES_MAX).unwrap() + 1]).unwrap();
    assert!(matches!(Template::read(&file), Err(TypesetError::TemplateTooLarge { .. })));
}

#[test]
fn a_font_that_is_not_there_is_a_warning_with_its_line() {
    let typeset = set("#set text(font: \"No Such Font\")\nText").unwrap();
    assert_eq!(typeset.warnings.len(), 1);
    assert!(typeset.warnings[0].message.contains("no such font") && typeset.warnings[0].line == Some(1), "{:?}", typeset.warnings);
}
