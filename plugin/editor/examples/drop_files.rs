//! Drops files on a window as a file manager does, to try the window without one:
//! `cargo run -p betwixt-editor --example drop_files X Y FILE...`, with X and Y in pixels within the window.
//!
//! X11 alone: the source's side of the XDND protocol, version 5, for the first window on the display that says it takes drops.
//! `HOVER_MS` in the environment says how long the files stay over the window before they are let go. Prints what the window
//! answers; fails if it does not accept.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("drop_files knows X11 alone");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    source::drop_files()
}

#[cfg(target_os = "linux")]
mod source {
    use std::error::Error;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use x11rb::connection::Connection;
    use x11rb::protocol::Event;
    use x11rb::protocol::xproto::{
        AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode,
        SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
    };
    use x11rb::rust_connection::RustConnection;
    use x11rb::wrapper::ConnectionExt as _;

    const VERSION: u32 = 5;
    const PATIENCE: Duration = Duration::from_secs(5);
    const STEP: Duration = Duration::from_millis(20);

    x11rb::atom_manager! {
        Atoms: AtomsCookie {
            XdndAware, XdndEnter, XdndPosition, XdndStatus, XdndDrop, XdndFinished, XdndSelection, XdndActionCopy,
            UriList: b"text/uri-list",
        }
    }

    struct Source {
        connection: RustConnection,
        atoms: Atoms,
        own: Window,
        target: Window,
        uris: String,
    }

    pub(super) fn drop_files() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let mut number = || -> Result<i16, Box<dyn Error>> {
            let text = arguments.next().ok_or("expected X Y FILE...")?;
            Ok(text.parse()?)
        };
        let (x, y) = (number()?, number()?);
        let uris: String = arguments
            .map(|file| std::fs::canonicalize(Path::new(&file)).map(|file| uri(&file)))
            .collect::<Result<_, _>>()?;
        let hover_ms: u64 = std::env::var("HOVER_MS").map_or(Ok(200), |text| text.parse())?;

        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let atoms = Atoms::new(&connection)?.reply()?;
        let target = find(&connection, root, atoms.XdndAware)?.ok_or("no window takes drops")?;
        let own = connection.generate_id()?;
        connection.create_window(
            0,
            own,
            root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_ONLY,
            0,
            &CreateWindowAux::new(),
        )?;
        connection.set_selection_owner(own, atoms.XdndSelection, x11rb::CURRENT_TIME)?;
        let place = connection.translate_coordinates(target, root, x, y)?.reply()?;
        println!(
            "window {target:#x}, at {}, {} of the screen",
            place.dst_x, place.dst_y
        );
        let source = Source {
            connection,
            atoms,
            own,
            target,
            uris,
        };
        source.run(
            (place.dst_x as u32) << 16 | place.dst_y as u32,
            Duration::from_millis(hover_ms),
        )
    }

    impl Source {
        fn run(&self, place: u32, hover: Duration) -> Result<(), Box<dyn Error>> {
            let atoms = &self.atoms;
            self.send(atoms.XdndEnter, [VERSION << 24, atoms.UriList, 0, 0])?;
            let position = [0, place, x11rb::CURRENT_TIME, atoms.XdndActionCopy];
            self.send(atoms.XdndPosition, position)?;
            let status = self.answer(atoms.XdndStatus)?;
            println!("accepts: {}", status[1] & 1 == 1);
            let over = Instant::now();
            while over.elapsed() < hover {
                self.send(atoms.XdndPosition, position)?;
                self.answer(atoms.XdndStatus)?;
                std::thread::sleep(STEP);
            }
            self.send(atoms.XdndDrop, [0, x11rb::CURRENT_TIME, 0, 0])?;
            let finished = self.answer(atoms.XdndFinished)?;
            println!("finished: {}", finished[1] & 1 == 1);
            if finished[1] & 1 == 1 && finished[2] != 0 {
                Ok(())
            } else {
                Err("the window did not take the files".into())
            }
        }

        fn send(&self, kind: u32, rest: [u32; 4]) -> Result<(), Box<dyn Error>> {
            let [a, b, c, d] = rest;
            let message = ClientMessageEvent::new(32, self.target, kind, [self.own, a, b, c, d]);
            self.connection
                .send_event(false, self.target, EventMask::NO_EVENT, message)?;
            self.connection.flush()?;
            Ok(())
        }

        /// Hands the files over when asked, until an answer of the kind comes.
        fn answer(&self, kind: u32) -> Result<[u32; 5], Box<dyn Error>> {
            let asked = Instant::now();
            while asked.elapsed() < PATIENCE {
                match self.connection.poll_for_event()? {
                    Some(Event::ClientMessage(message)) if message.type_ == kind => {
                        return Ok(message.data.as_data32());
                    }
                    Some(Event::SelectionRequest(request)) => self.hand_over(&request)?,
                    Some(_) => {}
                    None => std::thread::sleep(Duration::from_millis(2)),
                }
            }
            Err("the window does not answer".into())
        }

        fn hand_over(&self, request: &SelectionRequestEvent) -> Result<(), Box<dyn Error>> {
            self.connection.change_property8(
                PropMode::REPLACE,
                request.requestor,
                request.property,
                request.target,
                self.uris.as_bytes(),
            )?;
            let notify = SelectionNotifyEvent {
                response_type: SELECTION_NOTIFY_EVENT,
                sequence: 0,
                time: request.time,
                requestor: request.requestor,
                selection: request.selection,
                target: request.target,
                property: request.property,
            };
            self.connection
                .send_event(false, request.requestor, EventMask::NO_EVENT, notify)?;
            self.connection.flush()?;
            Ok(())
        }
    }

    /// The first window under another that says it takes drops.
    fn find(
        connection: &RustConnection,
        window: Window,
        aware: u32,
    ) -> Result<Option<Window>, Box<dyn Error>> {
        let property = connection
            .get_property(false, window, aware, AtomEnum::ANY, 0, 1)?
            .reply()?;
        if property.type_ != 0 {
            return Ok(Some(window));
        }
        for child in connection.query_tree(window)?.reply()?.children {
            if let Some(found) = find(connection, child, aware)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn uri(file: &Path) -> String {
        let mut uri = String::from("file://");
        for byte in file.to_string_lossy().bytes() {
            match byte {
                b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(byte.into()),
                _ => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        uri + "\r\n"
    }
}
