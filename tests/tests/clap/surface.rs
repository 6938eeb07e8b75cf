//! What a host shows and offers of the instrument: texts that can be typed, modulation note by note, a controller's
//! pages, MPE.

use betwixt_tests::own_process::in_own_process;
use clack_extensions::note_ports::NoteDialects;
use clack_extensions::params::ParamInfoFlags;

use crate::stage::{id, plugin};

/// Those that a host may move for each note by itself.
const OF_SINGLE_NOTES: [&str; 4] = ["Blend X", "Blend Y", "Heat", "Brightness"];

#[test]
fn every_parameter_reads_well_can_be_typed_and_automated() {
    in_own_process(|| {
        let mut instance = plugin().instance().unwrap();
        let parameters = instance.parameters().to_vec();
        assert_eq!(parameters.len(), 25);
        for parameter in parameters {
            let name = &parameter.name;
            assert!(parameter.flags.contains(ParamInfoFlags::IS_AUTOMATABLE), "{name}");
            let is_of_single_notes = parameter
                .flags
                .contains(ParamInfoFlags::IS_MODULATABLE_PER_NOTE_ID);
            assert_eq!(
                is_of_single_notes,
                OF_SINGLE_NOTES.contains(&name.as_str()),
                "{name}"
            );
            let steps = if parameter.flags.contains(ParamInfoFlags::IS_STEPPED) {
                parameter.max as usize
            } else {
                20
            };
            for step in 0..=steps {
                let share = step as f64 / steps as f64;
                let value = parameter.min + share * (parameter.max - parameter.min);
                let text = instance.text(parameter.id, value).unwrap();
                assert!(!text.is_empty(), "{name} at {value}");
                let typed = instance.typed(parameter.id, &text).unwrap();
                assert_eq!(
                    instance.text(parameter.id, typed).unwrap(),
                    text,
                    "{name} at {value}"
                );
            }
            let text = instance.text(parameter.id, parameter.default).unwrap();
            println!("{name}: {text}");
        }
        let stretch = id(&instance, "Stretch");
        let double = instance.typed(stretch, "2x").unwrap();
        assert_eq!(instance.text(stretch, double).unwrap(), "2.00x");
    });
}

#[test]
fn a_controllers_pages_hold_every_parameter_once() {
    in_own_process(|| {
        let mut instance = plugin().instance().unwrap();
        let pages = instance.pages().unwrap();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names, ["Blend", "Time", "Envelope", "Setup"]);
        assert_eq!(
            pages[0].parameters[..2],
            [id(&instance, "Blend X"), id(&instance, "Blend Y")]
        );
        let mut on_pages: Vec<_> = pages.iter().flat_map(|page| page.parameters.clone()).collect();
        let mut all: Vec<_> = instance
            .parameters()
            .iter()
            .map(|parameter| parameter.id)
            .collect();
        on_pages.sort_by_key(|id| id.get());
        all.sort_by_key(|id| id.get());
        assert_eq!(on_pages, all);
    });
}

#[test]
fn it_takes_mpe_and_has_voices_that_notes_can_be_modulated_in() {
    in_own_process(|| {
        let mut instance = plugin().instance().unwrap();
        let dialects = instance.note_dialects().unwrap();
        assert_eq!(
            dialects,
            NoteDialects::CLAP | NoteDialects::MIDI | NoteDialects::MIDI_MPE
        );
        assert!(instance.voice_capacity().unwrap() >= 32);
    });
}
