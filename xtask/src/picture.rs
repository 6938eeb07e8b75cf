//! A small canvas: pixels, lines and labels, saved as PNG.

use anyhow::Result;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// The window's own colours, for what is drawn over.
    pub const CORAL: Self = Self([255, 122, 102]);
    /// See [`Self::CORAL`].
    pub const TEAL: Self = Self([69, 212, 186]);
    /// Lines of a scale.
    pub const GRID: Self = Self([120, 126, 140]);
    /// Letters.
    pub const LABEL: Self = Self([190, 194, 204]);
    const GROUND: Self = Self([18, 20, 24]);

    /// The colour of a level from 0 (nothing) to 1 (loudest), in [`STEPS`] steps: few colours make a small file.
    pub fn heat(level: f32) -> Self {
        const STEPS: f32 = 40.0;
        const STOPS: [[f32; 3]; 5] = [
            [18.0, 20.0, 24.0],
            [52.0, 44.0, 98.0],
            [134.0, 66.0, 134.0],
            [240.0, 158.0, 82.0],
            [255.0, 244.0, 214.0],
        ];
        let place = (level.clamp(0.0, 1.0) * STEPS).round() / STEPS * (STOPS.len() - 1) as f32;
        let below = (place as usize).min(STOPS.len() - 2);
        let part = place - below as f32;
        Self(std::array::from_fn(|channel| {
            (STOPS[below][channel] * (1.0 - part) + STOPS[below + 1][channel] * part).round() as u8
        }))
    }

    /// This colour with `share` (0 to 1) of another over it.
    fn under(self, over: Self, share: f64) -> Self {
        Self(std::array::from_fn(|channel| {
            let (old, new) = (f64::from(self.0[channel]), f64::from(over.0[channel]));
            (old + (new - old) * share).round() as u8
        }))
    }
}

/// Pixels in rows from the top left.
#[derive(Debug)]
pub struct Picture {
    width: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    /// An empty picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            pixels: vec![Colour::GROUND; width * height],
        }
    }

    /// Sets a pixel; outside the picture nothing happens.
    pub fn set(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.at(x, y) {
            *pixel = colour;
        }
    }

    /// Draws a soft line, two pixels wide, from one point to another with `opacity` 0 to 1.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: Colour, opacity: f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length_squared = (dx * dx + dy * dy).max(1e-9);
        let rows = self.pixels.len() / self.width;
        let span = |a: f64, b: f64, limit: usize| {
            let low = (a.min(b) - 2.0).max(0.0) as usize;
            low..((a.max(b) + 3.0).max(0.0) as usize).min(limit)
        };
        for y in span(from.1, to.1, rows) {
            for x in span(from.0, to.0, self.width) {
                let (px, py) = (x as f64 - from.0, y as f64 - from.1);
                let along = ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let share = (1.5 - distance).clamp(0.0, 1.0) * opacity;
                if let Some(pixel) = self.at(x, y) {
                    *pixel = pixel.under(colour, share);
                }
            }
        }
    }

    /// Writes a label with its top left corner at a pixel. The font has what scales need.
    pub fn text(&mut self, at: (usize, usize), text: &str, colour: Colour) {
        for (index, letter) in text.chars().enumerate() {
            for (row, bits) in glyph(letter).into_iter().enumerate() {
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    self.set(at.0 + index * ADVANCE + column, at.1 + row, colour);
                }
            }
        }
    }

    /// The width of a label in pixels.
    pub fn text_width(text: &str) -> usize {
        text.chars().count() * ADVANCE
    }

    /// The content of a PNG file.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let height = self.pixels.len() / self.width;
        let mut encoder = png::Encoder::new(&mut content, u32::try_from(self.width)?, u32::try_from(height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header()?;
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| pixel.0).collect();
        writer.write_image_data(&bytes)?;
        writer.finish()?;
        Ok(content)
    }

    fn at(&mut self, x: usize, y: usize) -> Option<&mut Colour> {
        (x < self.width)
            .then(|| self.pixels.get_mut(y * self.width + x))
            .flatten()
    }
}

/// Pixels from one letter's left edge to the next one's.
const ADVANCE: usize = 6;

/// Seven rows of five bits, the leftmost the highest.
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        'H' => [17, 17, 17, 31, 17, 17, 17],
        'b' => [16, 16, 22, 25, 17, 17, 30],
        'd' => [1, 1, 13, 19, 17, 17, 15],
        'e' => [0, 0, 14, 17, 31, 16, 14],
        'k' => [16, 16, 18, 20, 24, 20, 18],
        'l' => [12, 4, 4, 4, 4, 4, 14],
        'n' => [0, 0, 22, 25, 17, 17, 17],
        's' => [0, 0, 15, 16, 14, 1, 30],
        'x' => [0, 0, 17, 10, 4, 10, 17],
        'y' => [0, 0, 17, 17, 15, 1, 14],
        'z' => [0, 0, 31, 2, 4, 8, 31],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn louder_is_brighter() {
        let brightness = |level| {
            Colour::heat(level)
                .0
                .iter()
                .map(|&channel| u32::from(channel))
                .sum::<u32>()
        };
        for step in 0..10_u8 {
            let level = f32::from(step) / 10.0;
            assert!(brightness(level) < brightness(level + 0.1), "{level}");
        }
    }

    #[test]
    fn a_picture_survives_its_png() {
        let mut picture = Picture::new(40, 30);
        picture.line((2.0, 3.0), (35.0, 20.0), Colour::TEAL, 1.0);
        picture.text((1, 1), "10 kHz", Colour::LABEL);
        let content = picture.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(content))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let drawn: Vec<u8> = picture.pixels.iter().flat_map(|pixel| pixel.0).collect();
        assert_eq!(pixels, drawn);
    }

    #[test]
    fn drawing_outside_the_picture_is_cut() {
        let mut picture = Picture::new(10, 10);
        picture.set(10, 0, Colour::LABEL);
        picture.set(0, 10, Colour::LABEL);
        picture.text((10, 0), "8888", Colour::LABEL);
        assert!(
            picture.pixels.iter().all(|&pixel| pixel == Colour::GROUND),
            "nothing wraps into the next row"
        );
        picture.line((-50.0, -50.0), (90.0, 90.0), Colour::CORAL, 1.0);
        assert_eq!(picture.pixels[55], Colour::CORAL);
    }
}
