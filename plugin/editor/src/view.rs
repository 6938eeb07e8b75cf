//! The whole window: what a snapshot looks like, and what the user asks for. Window thread; no side effects but egui's own.

use egui::Ui;

use crate::command::Commands;
use crate::layout::Layout;
use crate::pack_bench::PackView;
use crate::snapshot::Snapshot;
use crate::tabs::Tab;
use crate::{
    browser, corner, drop_target, embedding_view, envelope_view, error_strip, keyboard, level_panel,
    motion_panels, pack_panel, pad, tabs, theme, top_bar,
};

/// Shows the window; pushes what the user did.
pub fn show(ui: &mut Ui, snapshot: &Snapshot, commands: &mut Commands) {
    let window = ui.ctx().content_rect();
    let layout = Layout::new(window, !snapshot.problems.is_empty());
    ui.painter().rect_filled(window, 0.0, theme::GROUND);

    pad::show(ui, layout.pad, snapshot, commands);
    for (index, rect) in layout.corners.into_iter().enumerate() {
        corner::show(ui, rect, index, snapshot, commands);
    }
    match tabs::show(ui, layout.tabs) {
        Tab::Play => {
            embedding_view::show(ui, layout.embedding, snapshot, commands);
            motion_panels::show(ui, layout.motion, snapshot, commands);
            envelope_view::show(ui, layout.envelope, snapshot, commands);
            level_panel::show(ui, layout.level, snapshot, commands);
        }
        Tab::Sounds => browser::show(ui, layout.page, snapshot, commands),
        Tab::Pack => pack_panel::show(ui, layout.page, snapshot, commands),
    }
    if let PackView::Running { text, .. } = &snapshot.pack {
        tabs::note(ui, layout.tabs, &format!("pack: {text}"));
    }
    ui.painter().rect_filled(layout.divider, 0.0, theme::LINE);
    keyboard::show(ui, layout.keyboard, snapshot, commands);
    keyboard::show_footer(ui, layout.footer, snapshot);
    top_bar::show(ui, layout.top_bar, snapshot, commands);
    error_strip::show(ui, layout.error_strip, &snapshot.problems, commands);
    drop_target::show(ui, &layout, snapshot, commands);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use betwixt_engine::embedding::LoopRegion;
    use betwixt_engine::library::entry::EntryId;
    use betwixt_engine::parameter::Parameter;
    use egui::{Context, Event, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, pos2, vec2};

    use super::*;
    use crate::command::Command;
    use crate::embedding_view::{EmbeddingCurves, Sustain};
    use crate::list_query::{Found, Like, ListQuery, ListRow};
    use crate::snapshot::CornerView;
    use crate::{keyboard, pad};

    fn row(name: &str) -> ListRow {
        let file = format!("{}.sound", name.to_lowercase());
        ListRow {
            id: EntryId::from(format!("factory/{file}")),
            name: name.into(),
            detail: String::new(),
            about: String::new(),
            is_favourite: false,
            is_user: false,
            file: file.into(),
        }
    }

    /// What a librarian with few sounds and presets finds.
    fn found(query: &ListQuery) -> Found {
        let names: &[&str] = if query.filter.kind == ListQuery::presets().filter.kind {
            &["Init", "Dusk"]
        } else {
            &["Flute", "Harp", "Bass flute"]
        };
        let words: Vec<String> = query
            .text
            .to_lowercase()
            .split_whitespace()
            .map(String::from)
            .collect();
        let has_all = |name: &&&str| words.iter().all(|word| name.to_lowercase().contains(word));
        Found {
            query: query.clone(),
            rows: names.iter().filter(has_all).map(|name| row(name)).collect(),
        }
    }

    /// A window without a screen.
    struct Hand {
        context: Context,
        snapshot: Snapshot,
        window: Rect,
        seconds: f64,
    }

    impl Hand {
        fn new() -> Self {
            let context = Context::default();
            theme::install(&context);
            let mut snapshot = Snapshot {
                zoom: 1.0,
                sounds: found(&ListQuery::sounds()),
                presets: found(&ListQuery::presets()),
                ..Default::default()
            };
            snapshot.preset.name = "Init".into();
            snapshot.corners[0] = Some(CornerView {
                name: "Harp".into(),
                ..Default::default()
            });
            let window = Rect::from_min_size(Pos2::ZERO, vec2(1120.0, 740.0));
            let mut hand = Self {
                context,
                snapshot,
                window,
                seconds: 0.0,
            };
            hand.frames(2);
            hand
        }

        fn layout(&self) -> Layout {
            Layout::new(self.window, false)
        }

        fn frame(&mut self, events: Vec<Event>) -> Commands {
            self.seconds += 0.02;
            let input = RawInput {
                screen_rect: Some(self.window),
                time: Some(self.seconds),
                focused: true,
                events,
                ..Default::default()
            };
            let mut commands = Commands::new();
            let output = self
                .context
                .run_ui(input, |ui| show(ui, &self.snapshot, &mut commands));
            output.drop_without_applying_deltas();
            // The librarian answers before the next frame.
            for command in &commands {
                if let Command::Search(query) = command {
                    let found = found(query);
                    if query.filter.kind == ListQuery::presets().filter.kind {
                        self.snapshot.presets = found;
                    } else {
                        self.snapshot.sounds = found;
                    }
                }
            }
            commands.retain(|command| !matches!(command, Command::Search(_)));
            commands
        }

        /// A frame with files over the window, or let go over it.
        fn drag(&mut self, place: Pos2, files: &[&str], is_let_go: bool) -> Commands {
            self.frame(vec![Event::PointerMoved(place)]);
            let files: Vec<std::path::PathBuf> = files.iter().map(std::path::PathBuf::from).collect();
            let mut input = RawInput {
                screen_rect: Some(self.window),
                time: Some(self.seconds),
                ..Default::default()
            };
            if is_let_go {
                let dropped = files.into_iter().map(crate::egui_window::dropped);
                input.dropped_files = dropped.collect();
            } else {
                input.hovered_files = files
                    .into_iter()
                    .map(|file| egui::HoveredFile {
                        path: Some(file),
                        ..Default::default()
                    })
                    .collect();
            }
            let mut commands = Commands::new();
            let output = self
                .context
                .run_ui(input, |ui| show(ui, &self.snapshot, &mut commands));
            output.drop_without_applying_deltas();
            commands
        }

        fn frames(&mut self, count: usize) -> Commands {
            (0..count).flat_map(|_| self.frame(Vec::new())).collect()
        }

        fn button(place: Pos2, pressed: bool) -> Event {
            Event::PointerButton {
                pos: place,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            }
        }

        fn press(&mut self, place: Pos2) -> Commands {
            let mut commands = self.frame(vec![Event::PointerMoved(place)]);
            commands.extend(self.frame(vec![Self::button(place, true)]));
            commands
        }

        fn drag_to(&mut self, place: Pos2) -> Commands {
            let mut commands = self.frame(vec![Event::PointerMoved(place)]);
            commands.extend(self.frames(1));
            commands
        }

        fn release(&mut self, place: Pos2) -> Commands {
            let mut commands = self.frame(vec![Self::button(place, false)]);
            commands.extend(self.frames(1));
            commands
        }

        fn click(&mut self, place: Pos2) -> Commands {
            let mut commands = self.press(place);
            commands.extend(self.release(place));
            commands
        }

        fn write(&mut self, text: &str) -> Commands {
            self.frame(vec![Event::Text(text.into())])
        }

        fn key(&mut self, key: Key) -> Commands {
            let event = |pressed| Event::Key {
                key,
                physical_key: None,
                pressed,
                repeat: false,
                modifiers: Modifiers::NONE,
            };
            let mut commands = self.frame(vec![event(true)]);
            commands.extend(self.frame(vec![event(false)]));
            commands
        }

        fn has_keyboard(&self) -> bool {
            self.context.egui_wants_keyboard_input()
        }
    }

    #[test]
    fn an_untouched_window_asks_for_nothing() {
        assert!(Hand::new().frames(5).is_empty());
    }

    #[test]
    fn the_puck_jumps_to_the_pointer_follows_it_and_is_let_go() {
        let mut hand = Hand::new();
        let pad = hand.layout().pad;
        let (x, y) = (Parameter::BlendX, Parameter::BlendY);
        let pressed = hand.press(pad::to_screen(pad, vec2(0.75, 0.5)));
        assert_eq!(pressed[..2], [Command::Begin(x), Command::Begin(y)]);
        assert_eq!(pressed[2..], [Command::Set(x, 0.75), Command::Set(y, 0.5)]);
        let moved = hand.drag_to(pad::to_screen(pad, vec2(0.5, 0.25)));
        let near = |command: &Command, parameter, value: f32| match command {
            Command::Set(set, to) => *set == parameter && (to - value).abs() < 1e-4,
            _ => false,
        };
        assert!(near(&moved[0], x, 0.5) && near(&moved[1], y, 0.25), "{moved:?}");
        let outside = pad.left_bottom() + vec2(-300.0, 300.0);
        let past_the_edge = hand.drag_to(outside);
        assert!(
            near(&past_the_edge[0], x, 0.0) && near(&past_the_edge[1], y, 0.0),
            "{past_the_edge:?}"
        );
        assert_eq!(hand.release(outside), [Command::End(x), Command::End(y)]);
        assert!(hand.frames(3).is_empty());
    }

    #[test]
    fn a_click_between_two_frames_is_not_lost() {
        let mut hand = Hand::new();
        let Layout { pad, keyboard, .. } = hand.layout();
        let mut tap = |place| {
            hand.frame(vec![Event::PointerMoved(place)]);
            hand.frame(vec![Hand::button(place, true), Hand::button(place, false)])
        };
        let moved = tap(pad::to_screen(pad, vec2(0.25, 0.5)));
        assert_eq!(moved.len(), 6, "{moved:?}");
        assert_eq!(moved[2], Command::Set(Parameter::BlendX, 0.25));
        let played = tap(keyboard::key_rect(keyboard, 60).center_bottom() - vec2(0.0, 3.0));
        assert!(
            matches!(played[..], [Command::Press(60, _), Command::Release(60)]),
            "{played:?}"
        );
    }

    #[test]
    fn a_double_click_on_the_pad_resets_the_blend() {
        let mut hand = Hand::new();
        let place = hand.layout().pad.center();
        hand.click(place);
        let second = hand.click(place);
        assert!(second.contains(&Command::Reset(Parameter::BlendX)), "{second:?}");
        assert!(second.contains(&Command::Reset(Parameter::BlendY)), "{second:?}");
    }

    #[test]
    fn a_key_sounds_while_the_mouse_holds_it_and_slides_to_the_next() {
        let mut hand = Hand::new();
        let keys = hand.layout().keyboard;
        let place = |key| keyboard::key_rect(keys, key).center_bottom() - vec2(0.0, 3.0);
        let pressed = hand.press(place(60));
        assert!(
            matches!(pressed[..], [Command::Press(60, velocity)] if velocity > 0.9),
            "{pressed:?}"
        );
        let slid = hand.drag_to(place(62));
        assert!(
            matches!(slid[..], [Command::Release(60), Command::Press(62, _)]),
            "{slid:?}"
        );
        assert_eq!(hand.release(place(62)), [Command::Release(62)]);
    }

    #[test]
    fn a_value_is_typed_after_a_click_and_the_keyboard_given_back() {
        let mut hand = Hand::new();
        let envelope = hand.layout().envelope;
        let attack = envelope.left_bottom() + vec2(50.0, -19.0);
        assert!(!hand.has_keyboard());
        hand.click(attack);
        hand.frames(2);
        assert!(hand.has_keyboard());
        hand.write("120 ms");
        let typed = hand.key(Key::Enter);
        assert_eq!(typed, [Command::Type(Parameter::AttackMs, "120 ms".into())]);
        hand.frames(2);
        assert!(!hand.has_keyboard());
    }

    #[test]
    fn a_switch_is_turned_by_a_click_and_a_choice_made_from_its_list() {
        let mut hand = Hand::new();
        let [time, _, play] = hand.layout().motion;
        let freeze = Parameter::Freeze;
        let turned = hand.click(time.left_bottom() + vec2(30.0, -17.0));
        assert_eq!(
            turned,
            [
                Command::Begin(freeze),
                Command::Set(freeze, 1.0),
                Command::End(freeze)
            ]
        );
        let voices = Parameter::VoiceMode;
        let view = &mut hand.snapshot.parameters[voices as usize];
        view.text = "Poly".into();
        view.choices = ["Poly", "Mono", "Legato"].map(String::from).into();
        let line = play.left_top() + vec2(40.0, 45.0);
        assert!(hand.click(line).is_empty());
        hand.frames(2);
        // The list stands under the line, at its right end. A click beside its rows closes it.
        let chosen = hand.click(pos2(play.right() - 60.0, line.y + 36.0));
        assert!(
            matches!(chosen[..], [Command::Begin(first), Command::Set(second, _), Command::End(third)]
                if [first, second, third] == [voices; 3]),
            "{chosen:?}"
        );
    }

    #[test]
    fn escape_leaves_a_value_as_it_was() {
        let mut hand = Hand::new();
        let attack = hand.layout().envelope.left_bottom() + vec2(50.0, -19.0);
        hand.click(attack);
        hand.frames(2);
        hand.write("9");
        assert!(hand.key(Key::Escape).is_empty());
        hand.frames(2);
        assert!(!hand.has_keyboard());
    }

    #[test]
    fn an_envelope_handle_moves_its_time_and_the_sustain() {
        let mut hand = Hand::new();
        for parameter in Parameter::ALL {
            hand.snapshot.parameters[parameter as usize].normalized = 0.5;
        }
        let envelope = hand.layout().envelope;
        let graph = Rect::from_min_max(envelope.min + vec2(16.0, 42.0), envelope.max - vec2(16.0, 42.0));
        let handle = crate::envelope_view::curve(graph, 0.5, 0.5, 0.5, 0.5).sustain;
        hand.press(handle);
        let moved = hand.drag_to(handle + vec2(12.0, -9.0));
        let grown = |wanted| {
            moved
                .iter()
                .any(|command| matches!(command, Command::Set(set, value) if *set == wanted && *value > 0.5))
        };
        assert!(
            grown(Parameter::DecayMs) && grown(Parameter::Sustain),
            "{moved:?}"
        );
        let ended = hand.release(handle);
        assert!(ended.contains(&Command::End(Parameter::DecayMs)), "{ended:?}");
        assert!(ended.contains(&Command::End(Parameter::Sustain)), "{ended:?}");
    }

    /// A window with a sound of 101 frames in corner C, and the place of a frame in its picture.
    fn looped(region: Option<LoopRegion>) -> (Hand, impl Fn(f32) -> Pos2) {
        let mut hand = Hand::new();
        hand.snapshot.embedding = Some(Arc::new(EmbeddingCurves {
            curves: vec![vec![0.0; 101]; 16],
            frames: 101,
            sustain: Sustain {
                corner: 2,
                frames: 101,
                region,
            },
        }));
        hand.frames(2);
        let panel = hand.layout().embedding;
        let (left, width) = (panel.left() + 12.0, panel.width() - 24.0);
        let place = move |frame: f32| pos2(left + width * frame / 100.0, panel.center().y);
        (hand, place)
    }

    #[test]
    fn an_end_of_the_loop_is_dragged_and_the_sound_changed_when_it_is_let_go() {
        let region = LoopRegion {
            start_frame: 40,
            end_frame: 80,
        };
        let (mut hand, place) = looped(Some(region));
        assert!(hand.press(place(80.0)).is_empty());
        assert!(hand.drag_to(place(70.0)).is_empty());
        assert!(hand.drag_to(place(60.0)).is_empty());
        let moved = LoopRegion {
            end_frame: 60,
            ..region
        };
        assert_eq!(hand.release(place(60.0)), [Command::SetLoop(2, Some(moved))]);
        // Past its start it goes no further.
        hand.press(place(80.0));
        hand.drag_to(place(20.0));
        let shortest = LoopRegion {
            end_frame: 41,
            ..region
        };
        assert_eq!(hand.release(place(20.0)), [Command::SetLoop(2, Some(shortest))]);
    }

    #[test]
    fn a_double_click_makes_a_loop_and_takes_it_away() {
        let (mut hand, place) = looped(None);
        hand.click(place(50.0));
        let made = LoopRegion {
            start_frame: 42,
            end_frame: 58,
        };
        assert_eq!(hand.click(place(50.0)), [Command::SetLoop(2, Some(made))]);
        let (mut hand, place) = looped(Some(made));
        hand.click(place(50.0));
        assert_eq!(hand.click(place(50.0)), [Command::SetLoop(2, None)]);
    }

    #[test]
    fn a_corner_gets_the_sound_that_was_searched_for() {
        let mut hand = Hand::new();
        let corner = hand.layout().corners[1].center();
        hand.click(corner);
        hand.frames(3);
        assert!(hand.has_keyboard());
        hand.write("flute ba");
        hand.frames(1);
        let picked = Command::PickSound(1, Some(row("Bass flute").id));
        assert_eq!(hand.key(Key::Enter), [picked]);
        hand.frames(3);
        assert!(!hand.has_keyboard());
    }

    #[test]
    fn enter_waits_for_the_rows_of_what_was_typed() {
        let mut hand = Hand::new();
        hand.click(hand.layout().corners[1].center());
        hand.frames(3);
        // Typed and entered before the librarian can have answered.
        let text = Event::Text("harp".into());
        let enter = Event::Key {
            key: Key::Enter,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        assert!(hand.frame(vec![text, enter]).is_empty());
        let later = hand.frames(2);
        assert_eq!(later, [Command::PickSound(1, Some(row("Harp").id))]);
    }

    #[test]
    fn the_arrow_keys_move_and_escape_leaves() {
        let mut hand = Hand::new();
        let corner = hand.layout().corners[0].center();
        hand.click(corner);
        hand.frames(3);
        hand.key(Key::ArrowDown);
        hand.key(Key::ArrowDown);
        assert_eq!(
            hand.key(Key::Enter),
            [Command::PickSound(0, Some(row("Harp").id))]
        );
        hand.frames(3);
        hand.click(corner);
        hand.frames(3);
        assert!(hand.has_keyboard());
        assert!(hand.key(Key::Escape).is_empty());
        hand.frames(3);
        assert!(!hand.has_keyboard());
    }

    #[test]
    fn the_arrows_beside_the_presets_name_step_through_the_list() {
        let mut hand = Hand::new();
        let bar = hand.layout().top_bar;
        let after = bar.left_center() + vec2(330.0 + 330.0 - 18.0, 0.0);
        assert_eq!(hand.click(after), [Command::StepPreset { is_back: false }]);
        let before = bar.left_center() + vec2(330.0 + 18.0, 0.0);
        assert_eq!(hand.click(before), [Command::StepPreset { is_back: true }]);
    }

    #[test]
    fn files_go_to_the_corner_that_they_are_let_go_over() {
        let mut hand = Hand::new();
        let pad = hand.layout().pad;
        let place = pad::to_screen(pad, vec2(0.9, 0.1));
        assert!(hand.drag(place, &["bowl.wav"], false).is_empty());
        let dropped = hand.drag(place, &["bowl.wav", "cup.wav"], true);
        assert_eq!(
            dropped,
            [Command::Open(3, vec!["bowl.wav".into(), "cup.wav".into()])]
        );
        // Corner A holds a sound: elsewhere the next one takes it.
        let keys = hand.layout().keyboard.center();
        assert_eq!(
            hand.drag(keys, &["bowl.wav"], true),
            [Command::Open(1, vec!["bowl.wav".into()])]
        );
    }

    #[test]
    fn an_import_is_called_off_by_its_cross() {
        let mut hand = Hand::new();
        hand.snapshot.imports[0] = Some(crate::import_bench::ImportView::default());
        hand.frames(2);
        let label = hand.layout().corners[0];
        let cross = pos2(label.right() - 10.0, label.center().y + 8.0);
        assert_eq!(hand.click(cross), [Command::CancelImport(0)]);
    }

    #[test]
    fn undo_is_there_once_there_is_something_to_undo() {
        let mut hand = Hand::new();
        let undo = hand.layout().top_bar.left_center() + vec2(746.0 - 30.0 - 28.0, 0.0);
        assert!(hand.click(undo).is_empty());
        hand.snapshot.preset.undo = Some("load Dusk".into());
        assert_eq!(hand.click(undo), [Command::Undo]);
    }

    #[test]
    fn a_sound_of_the_browser_goes_into_the_chosen_corner() {
        let mut hand = Hand::new();
        let context = hand.context.clone();
        tabs::select(&context, tabs::Tab::Sounds);
        hand.frames(2);
        let page = hand.layout().page;
        // The rows stand under the corners, the filters and the field.
        let first = page.left_top() + vec2(60.0, 12.0 + 24.0 + 26.0 + 4.0 + 32.0 + 4.0 + 16.0);
        let picked = hand.click(first);
        assert_eq!(picked, [Command::PickSound(0, Some(row("Flute").id))]);
    }

    #[test]
    fn what_is_like_a_corner_is_searched_from_its_menu() {
        let context = Context::default();
        theme::install(&context);
        let mut asked = None;
        for _ in 0..3 {
            let mut commands = Commands::new();
            let output = context.run_ui(RawInput::default(), |ui| {
                browser::show_like(ui, 2, Like::Corner(2), "Harp");
                tabs::select(ui.ctx(), tabs::Tab::Sounds);
                show(ui, &Snapshot::default(), &mut commands);
            });
            output.drop_without_applying_deltas();
            asked = commands
                .into_iter()
                .find_map(|command| match command {
                    Command::Search(query) => query.like,
                    _ => None,
                })
                .or(asked);
        }
        assert_eq!(asked, Some((Like::Corner(2), "Harp".into())));
    }

    #[test]
    fn windows_of_any_size_and_state_are_shown() {
        let mut hand = Hand::new();
        for tab in [tabs::Tab::Play, tabs::Tab::Sounds, tabs::Tab::Pack] {
            let context = hand.context.clone();
            tabs::select(&context, tab);
            for size in [vec2(1.0, 1.0), vec2(900.0, 680.0), vec2(4096.0, 2000.0)] {
                hand.window = Rect::from_min_size(Pos2::ZERO, size);
                hand.snapshot.problems = vec!["no model".into(), "no library".into()];
                hand.snapshot.held_keys = u128::MAX;
                hand.snapshot.load = f32::NAN;
                hand.snapshot.imports =
                    std::array::from_fn(|_| Some(crate::import_bench::ImportView::default()));
                hand.snapshot.pack = PackView::Running {
                    text: "3 of 21 samples".into(),
                    part: 0.14,
                    is_stopping: false,
                };
                assert!(hand.frames(2).is_empty(), "{tab:?} at {size:?}");
            }
        }
    }
}
