//! What moves a single note, and what follows for its timbre: the place for all modulation of one voice.
//!
//! Plain values of the audio thread.

use crate::event::Target;
use crate::settings::Settings;
use crate::timbre::Timbre;

/// What moves a single note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// Of each [`Target`], by the host.
    pub offsets: [f32; Target::ALL.len()],
    /// 0 to 1.
    pub pressure: f32,
    /// 0 to 1, the middle at rest.
    pub slide: f32,
}

impl Moved {
    /// Where all rests.
    pub const REST: Self = Self {
        offsets: [0.0; Target::ALL.len()],
        pressure: 0.0,
        slide: 0.5,
    };

    /// What is added to a target.
    pub fn amount(&self, target: Target, settings: &Settings) -> f32 {
        let reach = if target == Target::Brightness { 2.0 } else { 1.0 };
        let of = |moving: Target, value: f32| if moving == target { value } else { 0.0 };
        self.offsets[target as usize]
            + of(settings.pressure, self.pressure)
            + of(settings.slide, reach * (self.slide - 0.5))
    }

    /// The timbre of a note that the settings give `timbre`.
    pub fn timbre(&self, mut timbre: Timbre, settings: &Settings) -> Timbre {
        timbre.blend.x += self.amount(Target::BlendX, settings);
        timbre.blend.y += self.amount(Target::BlendY, settings);
        timbre.heat += self.amount(Target::Heat, settings);
        timbre.bounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_moves_nothing_to_the_bit() {
        let settings = Settings::default();
        let timbre = settings.timbre().bounded();
        assert_eq!(Moved::REST.timbre(timbre, &settings), timbre);
        assert_eq!(Moved::REST.amount(Target::Brightness, &settings), 0.0);
    }

    #[test]
    fn pressure_slide_and_the_host_add_up_on_one_target() {
        let settings = Settings {
            pressure: Target::BlendX,
            slide: Target::BlendX,
            ..Settings::default()
        };
        let mut moved = Moved {
            pressure: 0.25,
            slide: 0.25,
            ..Moved::REST
        };
        moved.offsets[Target::BlendX as usize] = 0.5;
        assert_eq!(moved.amount(Target::BlendX, &settings), 0.5);
        assert_eq!(moved.amount(Target::BlendY, &settings), 0.0);
    }
}
