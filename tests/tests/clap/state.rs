//! A project opens as it was saved, on a machine without the files its sounds came from; what is not a state of
//! this version is refused, and the instance stays as it was.

use std::fs;

use betwixt_tests::bundle::Bundle;
use betwixt_tests::instance::Instance;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::plugin::Plugin;
use betwixt_tests::recording::Recording;
use betwixt_tests::saved_state::SavedState;
use betwixt_tests::score::Score;
use clack_extensions::render::RenderMode;

use crate::stage::{RATE_HZ, bounce_with, offline, plugin};

/// A phrase of two chords.
fn play(instance: &mut Instance) -> Recording {
    let mut score = Score::new(RATE_HZ, 1.5);
    for key in [50, 57, 64] {
        score.note(key, 0.7, 0.0, 0.7);
        score.note(key + 2, 0.7, 0.75, 0.7);
    }
    bounce_with(instance, &score)
}

/// An instance unlike a new one: other values, and corners A and D changed about.
fn changed(plugin: &Plugin) -> Instance {
    let mut instance = offline(plugin, RATE_HZ);
    instance.deactivate();
    instance
        .set_values(&[("Blend X", 0.3), ("Blend Y", 0.8), ("Attack", 0.4), ("Gain", 0.6)])
        .unwrap();
    let mut state = SavedState::parse(&instance.save_state().unwrap()).expect("a state in the plugin's form");
    let (a, d) = (state.corner(0).unwrap(), state.corner(3).unwrap());
    state
        .set_corner(0, Some(&d))
        .set_corner(3, Some(&a))
        .set_corner(1, None);
    instance
        .load_state(&state.to_bytes())
        .expect("a changed state is taken");
    instance.activate(RATE_HZ, 4096).unwrap();
    instance
}

/// A new instance that takes this state before it plays.
fn with_state(plugin: &Plugin, state: &[u8]) -> Instance {
    let mut instance = plugin.instance().unwrap();
    instance.load_state(state).expect("a saved state is taken");
    instance.set_render_mode(RenderMode::Offline).unwrap();
    instance.activate(RATE_HZ, 4096).unwrap();
    instance
}

#[test]
fn a_loaded_state_plays_as_the_saved_one() {
    in_own_process(|| {
        let plugin = plugin();
        let mut first = changed(&plugin);
        let (state, sound) = (first.save_state().unwrap(), play(&mut first));
        assert_eq!(
            first.save_state().unwrap(),
            state,
            "the same instance saved twice gives other bytes"
        );
        let mut second = with_state(&plugin, &state);
        assert_eq!(
            second.save_state().unwrap(),
            state,
            "what was loaded is not what is saved"
        );
        for name in ["Blend X", "Blend Y", "Attack", "Gain"] {
            assert_eq!(second.value(name).unwrap(), first.value(name).unwrap(), "{name}");
        }
        assert_eq!(play(&mut second).first_difference(&sound), None);
        let plain = play(&mut offline(&plugin, RATE_HZ));
        assert!(
            !plain.is_identical_to(&sound),
            "the state's sounds and values make no difference"
        );
    });
}

/// What later versions than the first have added, by id and by the name that a host shows.
const LATER: [(&str, &str); 15] = [
    ("start_ms", "Start"),
    ("stretch", "Stretch"),
    ("freeze", "Freeze"),
    ("heat", "Heat"),
    ("push", "Push"),
    ("attack_from", "Attack From"),
    ("width", "Width"),
    ("brightness", "Brightness"),
    ("own_ending", "Own Ending"),
    ("voice_mode", "Voices"),
    ("glide_ms", "Glide"),
    ("mpe", "MPE"),
    ("pressure_to", "Pressure To"),
    ("slide_to", "Slide To"),
    ("mpe_bend_range_semitones", "MPE Bend Range"),
];

#[test]
fn a_project_of_before_a_parameter_opens_with_its_default_whatever_was_open_before() {
    in_own_process(|| {
        let plugin = plugin();
        let mut old = SavedState::parse(&changed(&plugin).save_state().unwrap()).unwrap();
        for (id, _) in LATER {
            old.remove_parameter(id);
        }
        let mut fresh = with_state(&plugin, &old.to_bytes());
        let sound = play(&mut fresh);
        let mut used = plugin.instance().unwrap();
        let values: Vec<(&str, f64)> = LATER
            .iter()
            .map(|(_, name)| {
                let parameter = used.parameter(name).unwrap();
                let other = if parameter.default == parameter.max {
                    parameter.min
                } else {
                    parameter.max
                };
                (*name, other)
            })
            .collect();
        used.set_values(&values).unwrap();
        used.load_state(&old.to_bytes()).expect("an old state is taken");
        for (_, name) in LATER {
            assert_eq!(
                used.value(name).unwrap(),
                used.parameter(name).unwrap().default,
                "{name}"
            );
        }
        used.set_render_mode(RenderMode::Offline).unwrap();
        used.activate(RATE_HZ, 4096).unwrap();
        assert_eq!(play(&mut used).first_difference(&sound), None);
    });
}

#[test]
fn a_state_loaded_between_two_bounces_is_heard_in_the_second() {
    in_own_process(|| {
        let plugin = plugin();
        let mut first = changed(&plugin);
        let (state, sound) = (first.save_state().unwrap(), play(&mut first));
        let mut second = offline(&plugin, RATE_HZ);
        assert!(!play(&mut second).is_identical_to(&sound));
        let rescans = second.rescans();
        second
            .load_state(&state)
            .expect("an active instance takes a state");
        assert!(
            second.rescans() > rescans,
            "the host is not told to read the values anew"
        );
        second.reset().unwrap();
        assert_eq!(play(&mut second).first_difference(&sound), None);
    });
}

#[test]
fn a_project_needs_no_factory_sounds_to_open() {
    in_own_process(|| {
        let mut first = changed(&plugin());
        let (state, sound) = (first.save_state().unwrap(), play(&mut first));
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Bundle::built().unwrap().copy_to(folder.path()).unwrap();
        fs::remove_dir_all(elsewhere.presets()).expect("the copy's presets are there to be removed");
        let mut second = with_state(&Plugin::load(&elsewhere.clap()).unwrap(), &state);
        assert_eq!(play(&mut second).first_difference(&sound), None);
    });
}

#[test]
fn what_is_no_state_of_this_version_is_refused_and_changes_nothing() {
    in_own_process(|| {
        let plugin = plugin();
        let mut instance = changed(&plugin);
        let (state, sound) = (instance.save_state().unwrap(), play(&mut instance));
        let parts = SavedState::parse(&state).unwrap();
        let mut damaged_sound = parts.corner(0).unwrap();
        let middle = damaged_sound.len() / 2;
        damaged_sound[middle] ^= 0x10;
        let half_a_sound = &parts.corner(0).unwrap()[..middle];
        let mut flipped = state.clone();
        flipped[20] = 0xff;

        let mut refused: Vec<(String, Vec<u8>)> = vec![
            ("nothing".into(), Vec::new()),
            ("zeros".into(), vec![0; 1 << 16]),
            ("noise".into(), noise(1 << 16)),
            (
                "a length that lies".into(),
                [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
            ),
            (
                "an empty object".into(),
                [2_u64.to_le_bytes().as_slice(), b"{}"].concat(),
            ),
            ("a byte that is no text".into(), flipped),
            ("a later version".into(), parts.clone().set_format(2).to_bytes()),
            (
                "a value out of range".into(),
                parts.clone().set_parameter("blend_x", 1.0e9).to_bytes(),
            ),
            (
                "a damaged sound".into(),
                parts.clone().set_corner(2, Some(&damaged_sound)).to_bytes(),
            ),
            (
                "half a sound".into(),
                parts.clone().set_corner(2, Some(half_a_sound)).to_bytes(),
            ),
            (
                "no sound".into(),
                parts.clone().set_corner(2, Some(b"RIFF")).to_bytes(),
            ),
        ];
        for cut in [1, 7, 8, 9, 100, state.len() / 2, state.len() - 1] {
            refused.push((format!("the first {cut} bytes"), state[..cut].to_vec()));
        }
        for (what, bytes) in refused {
            assert!(
                instance.load_state(&bytes).is_err(),
                "{what} was taken for a state"
            );
            assert_eq!(
                instance.save_state().unwrap(),
                state,
                "{what} changed the instance"
            );
        }
        instance.reset().unwrap();
        assert_eq!(
            play(&mut instance).first_difference(&sound),
            None,
            "the instance plays otherwise"
        );
        instance
            .load_state(&state)
            .expect("the instance still takes a good state");
    });
}

/// Bytes of a fixed seed.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}
