use super::sample::{base_line, lines_of_every_sort, settlement, statement, statement_named, typesetter};

#[test]
fn a_statement_made_again_is_the_same_byte_for_byte() {
    let statement = statement(lines_of_every_sort());
    let typesetter = typesetter();
    let first = typesetter.statement(&statement).unwrap();
    assert_eq!(typesetter.statement(&statement).unwrap(), first);
    assert_eq!(super::sample::typesetter().statement(&statement).unwrap(), first);
}

#[test]
fn statements_set_side_by_side_do_not_mix() {
    let typesetter = typesetter();
    let statements: Vec<_> =
        (0..4).map(|number| statement_named(&format!("Partner {number}"), &settlement(vec![base_line(number, "USD", 1_000)], 0, 0))).collect();
    let alone: Vec<_> = statements.iter().map(|statement| typesetter.statement(statement).unwrap()).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = statements.iter().map(|statement| scope.spawn(|| typesetter.statement(statement).unwrap())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(together, alone);
    assert!(alone.windows(2).all(|pair| pair[0].pdf != pair[1].pdf));
}

#[test]
fn a_reader_finds_the_text_in_the_pdf() {
    let name = "Søren Ελλάδα Москва";
    let pdf = typesetter().statement(&statement_named(name, &settlement(lines_of_every_sort(), 0, 0))).unwrap().pdf;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("statement.pdf");
    std::fs::write(&file, pdf).unwrap();
    let output = match std::process::Command::new("pdftotext").arg(&file).arg("-").output() {
        Ok(output) => output,
        // Poppler is not everywhere; what is printed is proved on the laid-out pages in any case.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => panic!("{error}"),
    };
    let text = String::from_utf8(output.stdout).unwrap();
    for wanted in [name, "INV-1", "10,000.00", "−300.00", "Page 1 of"] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
}
