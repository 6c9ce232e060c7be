use crate::{FontDirs, Template, TypesetError, Typesetter};

#[test]
fn a_font_directory_that_is_not_there_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap().path().join("fonts");
    let fonts = FontDirs { directories: vec![directory.clone()], system: false };
    let Err(error) = Typesetter::new(Template::standard(), &fonts) else { panic!("it was taken") };
    assert!(matches!(&error, TypesetError::FontDirectory { directory: named, .. } if *named == directory), "{error}");
}

#[test]
fn fonts_of_configured_directories_stand_behind_the_embedded_ones_by_path() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("below")).unwrap();
    let embedded: Vec<_> = typst_kit::fonts::embedded().collect();
    let names = ["b.otf", "below/a.otf", "c.otf", "a.otf"];
    for ((font, _), name) in embedded.iter().zip(names) {
        std::fs::write(directory.path().join(name), font.data()).unwrap();
    }
    std::fs::write(directory.path().join("readme.txt"), "no font").unwrap();

    let fonts = FontDirs { directories: vec![directory.path().to_owned()], system: false };
    let store = fonts.load().unwrap();
    let data = |index: usize| store.font(index).unwrap().data().clone();
    assert!(store.font(embedded.len() + names.len()).is_none());
    for (place, from) in [(0, 3), (1, 0), (2, 1), (3, 2)] {
        assert_eq!(data(embedded.len() + place), *embedded[from].0.data(), "place {place}");
    }
}
