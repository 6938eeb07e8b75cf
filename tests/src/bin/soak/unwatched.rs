//! Waiting that RealtimeSanitizer does not watch: offline alone, where `process` may wait.

use betwixt_audio::instrument::Patience;
use betwixt_engine::patience::OfflinePatience;

/// A patience whose waits are not held against `process`; all around them is.
#[derive(Debug)]
pub struct Unwatched(pub OfflinePatience);

impl Patience for Unwatched {
    fn wait_for_news(&self) -> bool {
        let _shade = Shade::enter();
        self.0.wait_for_news()
    }
}

/// While it lives the sanitizer looks away, on this thread.
struct Shade;

#[cfg(rtsan)]
unsafe extern "C" {
    fn __rtsan_disable();
    fn __rtsan_enable();
}

impl Shade {
    fn enter() -> Self {
        #[cfg(rtsan)]
        // SAFETY: a function of the sanitizer's runtime, which a program built with it carries; `drop` undoes it.
        unsafe {
            __rtsan_disable();
        }
        Self
    }
}

impl Drop for Shade {
    fn drop(&mut self) {
        #[cfg(rtsan)]
        // SAFETY: `enter` was called before, on this thread: a shade is not sent anywhere.
        unsafe {
            __rtsan_enable();
        }
    }
}
