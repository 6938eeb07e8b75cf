//! Latent arithmetic on factory sounds, through the shipped model.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use betwixt_engine::arithmetic::{self, ArithmeticError, Expression, Names};
use betwixt_engine::library::Library;
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::sound::Sound;

use crate::hearing::{cents_off, loudest_db, mel_db, mel_distance, peak, rms_db};
use crate::render::{RATE_HZ, complaints, factory, model, note};

fn library() -> Library {
    Library::in_folders(&factory(), Path::new("/nowhere"))
}

fn blend(model: &Model, text: &str) -> Result<Sound, ArithmeticError> {
    let expression = Expression::parse(text)?;
    let library = library();
    let names = Names::of(&library);
    arithmetic::blend(
        model,
        &names.find(&expression)?,
        "result",
        &AtomicBool::new(false),
    )
}

fn sound(name: &str) -> Sound {
    Sound::read(&factory().join(format!("sounds/{name}.sound"))).unwrap()
}

/// Two sounds in the middle between them, as the pad plays them.
fn pads_middle(model: &Model, a: &str, b: &str, pitch: f32, seconds: f64) -> Vec<f32> {
    let corners = [Some(Arc::new(sound(a))), Some(Arc::new(sound(b))), None, None];
    let manifest = model.manifest();
    let frames = model.frames_per_embedding_frame();
    let note = BlendedNote::new(&corners, [0.5, 0.5, 0.0, 0.0], pitch, manifest.dims, frames)
        .unwrap()
        .with_measured_dims(manifest.pitch_dim, manifest.level_dim);
    let (mut note, mut decoder) = (NoteRender::new(note, 1, model.format()), model.decoder().unwrap());
    let (length, mut samples) = ((seconds * f64::from(RATE_HZ)) as usize, Vec::new());
    while samples.len() < length && !note.is_done() {
        samples.extend(note.next_run(decoder.as_mut(), &AtomicBool::new(false)).unwrap());
    }
    samples.truncate(length);
    samples
}

#[test]
fn one_sound_is_itself_with_a_recipe() {
    let (flute, made) = (sound("flute"), blend(&model(), " flute").unwrap());
    assert_eq!(
        (&made.embedding, made.loop_region, made.pitch),
        (&flute.embedding, flute.loop_region, flute.pitch)
    );
    assert_eq!((&made.licence, &made.family), (&flute.licence, &flute.family));
    let recipe = made.credits.recipe.unwrap();
    assert_eq!(recipe.expression, "flute");
    let [ingredient] = recipe.ingredients.as_slice() else {
        panic!("{recipe:?}")
    };
    assert_eq!(ingredient.id, format!("{:016x}", flute.id().0));
    assert_eq!(
        (ingredient.name.as_str(), ingredient.sound.as_str()),
        ("flute", "Flute")
    );
}

#[test]
fn the_mean_of_two_sounds_sounds_like_the_middle_of_the_pad() {
    let model = model();
    let mut decoder = model.decoder().unwrap();
    for (a, b) in [
        ("flute", "cello"),
        ("trumpet", "choir"),
        ("marimba", "string_ensemble"),
    ] {
        let made = blend(&model, &format!("mean({a}, {b})")).unwrap();
        assert_eq!(made.pitch, ((sound(a).pitch + sound(b).pitch) / 2.0).round());
        let ours = mel_db(&note(&model, decoder.as_mut(), &made, 60.0, 2.0), RATE_HZ);
        let pads = mel_db(&pads_middle(&model, a, b, 60.0, 2.0), RATE_HZ);
        let apart = mel_distance(&pads, &ours);
        let a_alone = mel_db(&note(&model, decoder.as_mut(), &sound(a), 60.0, 2.0), RATE_HZ);
        let far = mel_distance(&pads, &a_alone);
        println!("{a}, {b}: {apart:.2} dB from the pad's middle, which is {far:.2} dB from {a}");
        assert!(
            apart < 1.0 && apart < 0.25 * far,
            "{a}, {b}: {apart} dB, and {far}"
        );
    }
}

#[test]
fn a_marimbas_attack_is_heard_before_a_choirs_body() {
    let model = model();
    let mut decoder = model.decoder().unwrap();
    let made = blend(&model, "attack(marimba, body=choir, at_ms=60, crossfade_ms=60)").unwrap();
    assert!(made.loop_region.is_some(), "it is held as the choir is");
    assert_eq!(made.pitch, sound("choir").pitch);
    let mut played = |sound: &Sound, seconds| note(&model, decoder.as_mut(), sound, 60.0, seconds);
    let (ours, marimba, choir) = (
        played(&made, 2.0),
        played(&sound("marimba"), 2.0),
        played(&sound("choir"), 2.0),
    );
    let attack = (0.03 * f64::from(RATE_HZ)) as usize;
    let off = |other: &[f32]| {
        let difference: Vec<f32> = ours[..attack].iter().zip(other).map(|(a, b)| a - b).collect();
        rms_db(&difference) - rms_db(&other[..attack])
    };
    let (from_marimba, from_choir) = (off(&marimba), off(&choir));
    let body = |samples: &[f32]| mel_db(&samples[RATE_HZ as usize / 2..], RATE_HZ);
    let from_body = mel_distance(&body(&choir), &body(&ours));
    println!(
        "first 30 ms: {from_marimba:.1} dB off the marimba's, {from_choir:.1} dB off the choir's; body {from_body:.2} dB of mel off the choir's"
    );
    assert!(from_marimba < -20.0, "the first 30 ms are {from_marimba} dB off");
    assert!(
        from_choir > -3.0,
        "the first 30 ms are {from_choir} dB off the choir's"
    );
    assert!(from_body < 1.0, "the body is {from_body} dB off");
}

#[test]
fn every_result_is_in_tune_and_in_level() {
    let model = model();
    let expressions = [
        "flute - 0.5*cello + choir",
        "flute - cello + choir",
        "trumpet - violin + clarinet",
        "2*grand_piano - marimba",
        "3*flute - 2*oboe",
        "mean(flute, cello, trumpet, choir, church_organ, grand_piano)",
        "marimba - xylophone + kalimba",
        "attack(grand_piano, body=string_ensemble)",
        "attack(choir, body=marimba, at_ms=200, crossfade_ms=300)",
        "reverse(harp)",
        "reverse(flute)",
        "swap(violin, clarinet, 2, 5..9)",
        "swap(flute, marimba, level)",
        "swap(cello, synth_voice, 2..15)",
        "0.5*(saw_lead - square_lead) + mean(oboe, reverse(bassoon))",
    ];
    let complaints = complaints(&model, &expressions, |text, decoder| {
        let made = blend(&model, text).unwrap();
        let mut complaints = Vec::new();
        for octave in [0.0, -12.0, 12.0] {
            let pitch = made.pitch + octave;
            // What swells late is heard long enough.
            let samples = note(&model, decoder, &made, pitch, 4.5);
            let (level, highest) = (loudest_db(&samples), peak(&samples));
            let cents = cents_off(&samples, RATE_HZ, f64::from(pitch));
            println!(
                "{text} at {pitch}: {level:.1} dB, {cents:.1?} cents, {:?}",
                made.loop_region
            );
            let is_well = samples.iter().all(|sample| sample.is_finite()) && highest < 1.0;
            if !is_well || !(-32.0..=-10.0).contains(&level) || cents.is_none_or(|cents| cents.abs() > 8.0) {
                complaints.push(format!(
                    "{text} at {pitch}: {level:.1} dB, peak {highest:.2}, {cents:.1?} cents"
                ));
            }
        }
        if Sound::from_bytes(&made.to_bytes()).as_ref() != Ok(&made) {
            complaints.push(format!("{text}: does not come back from its bytes"));
        }
        complaints
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn licences_add_up_and_what_all_share_is_kept() {
    let made = blend(&model(), "violin - flute + cello + ukulele").unwrap();
    let (violin, ukulele) = (sound("violin"), sound("ukulele"));
    assert_ne!(violin.licence, ukulele.licence);
    assert_eq!(
        made.licence,
        format!("{} AND ({})", violin.licence, ukulele.licence)
    );
    assert_eq!(made.family, "");
    let made = blend(&model(), "violin - flute + cello").unwrap();
    assert_eq!((made.family.as_str(), made.licence), ("string", violin.licence));
    assert_eq!(made.tags, ["sustained", "bowed", "acoustic"]);
    assert_eq!(made.credits.recipe.unwrap().ingredients.len(), 3);
}

#[test]
fn what_does_not_fit_the_model_is_told_with_its_column() {
    let told = |text: &str| blend(&model(), text).unwrap_err().to_string();
    assert_eq!(
        told("swap(flute, cello, 4, 16)"),
        "column 23: there is no dimension 16; expected 0 to 15"
    );
    assert!(told("flute + nothing").starts_with("column 9: there is no sound `nothing`"));
    let other = Arc::new(Sound {
        model: "other 1".into(),
        ..sound("flute")
    });
    let expression = Expression::parse("cello + other").unwrap();
    let library = library();
    let names = Names::of(&library).with_sound("other", other);
    let bound = names.find(&expression).unwrap();
    let refused = arithmetic::blend(&model(), &bound, "", &AtomicBool::new(false)).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("column 9: the sound `other` was encoded by model other 1; expected model spectral"),
        "{refused}"
    );
}
