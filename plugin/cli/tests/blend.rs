//! `betwixt blend` as a user runs it: the built program, the shipped model and factory sounds.

mod program;

use betwixt_engine::sound::Sound;
use program::{betwixt, ok, refused, run};

#[test]
fn an_expression_becomes_a_sound_that_says_how_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = ok(
        folder,
        &[
            "blend",
            "cello - 0.5*oboe + flute",
            "--tag",
            "mine",
            "--author",
            "Ada",
            "-o",
            "Wood.sound",
        ],
    );
    assert!(told.contains("Wood = cello - 0.5*oboe + flute"), "{told}");
    let sound = Sound::read(&folder.join("Wood.sound")).unwrap();
    assert_eq!(
        (sound.name.as_str(), sound.credits.author.as_str()),
        ("Wood", "Ada")
    );
    assert!(sound.tags.contains(&"mine".into()) && sound.loop_region.is_some());
    let recipe = sound.credits.recipe.unwrap();
    assert_eq!(recipe.expression, "cello - 0.5*oboe + flute");
    let names: Vec<_> = recipe.ingredients.into_iter().map(|of| of.name).collect();
    assert_eq!(names, ["cello", "oboe", "flute"]);
    // The result is a sound like any other, by its path and bound to a name.
    ok(
        folder,
        &[
            "blend",
            "-B + 2*'Wood.sound'",
            "--let",
            "B=Wood.sound",
            "--name",
            "Again",
            "-o",
            "again.sound",
        ],
    );
    assert_eq!(Sound::read(&folder.join("again.sound")).unwrap().name, "Again");
    ok(
        folder,
        &[
            "render",
            "--sound",
            "again.sound",
            "--pitch",
            "60",
            "--seconds",
            "1",
            "-o",
            "a.wav",
        ],
    );
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cases: [(&[&str], &str); 5] = [
        (
            &["flute - oboe"],
            "error: column 1: the weights of its sounds sum to 0.000",
        ),
        (
            &["flute - )"],
            "error: column 9: expected a sound or a number, found `)`",
        ),
        (
            &["flute + nothing"],
            "error: column 9: there is no sound `nothing`",
        ),
        (
            &["flute", "--let", "A"],
            "error: --let is A; expected NAME=FILE.sound",
        ),
        (
            &["flute", "--let", "A=a.sound"],
            "error: --let A: the expression has no such name; it has flute",
        ),
    ];
    for (args, expected) in cases {
        let mut all = vec!["blend"];
        all.extend(args);
        all.extend(["-o", "x.sound"]);
        let message = refused(&run(folder, &all));
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(
        betwixt(folder, &["blend", "--help"])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
