//! A headless Chromium, driven through `chromedriver` by plain `WebDriver` calls. Both listen on
//! free ports and end when the browser is dropped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything takes that does not hang.
const HANG: Duration = Duration::from_secs(60);

/// How often a driver is started before it counts as broken.
const STARTS: usize = 8;

/// Keys that are not characters.
pub mod key {
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const LEFT: &str = "\u{e012}";
    pub const RIGHT: &str = "\u{e014}";
    pub const TAB: &str = "\u{e004}";
}

/// The key under which the protocol returns the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Profile and downloads.
    dir: TempDir,
}

impl Browser {
    /// A browser with a window of this size, or `None` with a notice where Chromium is not
    /// installed.
    pub fn start(width: u32, height: u32) -> Option<Self> {
        if !["chromium", "chromedriver"].into_iter().all(is_here) {
            eprintln!("skipped: there is no chromium with chromedriver");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (driver, port) = driver(dir.path());
        let mut browser = Self { driver, port, session: String::new(), dir };
        std::fs::create_dir(browser.downloads()).expect("a folder");
        let profile = browser.dir.path().join("profile");
        let capabilities = capabilities(&profile, &browser.downloads());
        let created = browser.call(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": capabilities } }),
        );
        browser.session = format!("/session/{}", created["sessionId"].as_str().expect("a session"));
        // A window has a least width; the emulated viewport has not.
        let viewport = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        browser.devtools("Emulation.setDeviceMetricsOverride", &viewport);
        Some(browser)
    }

    /// Where downloads are put.
    pub fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    pub fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    pub fn reload(&self) {
        self.ask("POST", "/refresh", &json!({}));
    }

    /// Runs the body of a function in the page and returns its result.
    #[track_caller]
    pub fn js(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs the body of an `async` function in the page and returns its resolved value.
    #[track_caller]
    pub fn js_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0];\n(async () => {{ {script} }})().then(done, (error) => \
             done({{ failed: String(error) }}));"
        );
        let value = self.ask("POST", "/execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(value.get("failed"), None, "in the page: {value}");
        value
    }

    /// Waits in the page until an expression is true and returns its value. While it cannot be
    /// evaluated, as in a document that is being replaced, it counts as false.
    #[track_caller]
    pub fn wait(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0], end = performance.now() + 1000;
            const look = () => {{
                let value, problem;
                try {{ value = {expression}; }} catch (error) {{ problem = String(error); }}
                if (value) return done({{ value }});
                const text = `${{problem ?? 'the page says'}}\n${{document.body?.innerText}}`;
                if (performance.now() > end) return done({{ text }});
                setTimeout(look, 10);
            }};
            look();"
        );
        let (body, end) = (json!({ "script": script, "args": [] }), Instant::now() + HANG);
        loop {
            let text = match self.try_ask("/execute/async", &body) {
                Ok(mut seen) if seen.get("value").is_some() => return seen["value"].take(),
                Ok(seen) => shown(&seen["text"]).to_owned(),
                Err((_, fault)) => shown(&fault["message"]).to_owned(),
            };
            assert!(Instant::now() < end, "waited for {expression}; {text}");
        }
    }

    /// The visible text of the first element that matches a selector, once there is one.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        let text =
            self.js(&format!("return document.querySelector({})?.innerText", json!(selector)));
        text.as_str().unwrap_or_else(|| panic!("there is no {selector}")).to_owned()
    }

    pub fn count(&self, selector: &str) -> u64 {
        let n = self.js(&format!("return document.querySelectorAll({}).length", json!(selector)));
        n.as_u64().expect("a number")
    }

    /// Clicks like a mouse: a hidden or covered element cannot be clicked. Waits until the element
    /// is there, and finds it again if it is drawn again meanwhile.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        while let Err((status, value)) = self.try_click(selector) {
            let is_redrawn = ["stale element reference", "no such element"]
                .map(Value::from)
                .contains(&value["error"]);
            assert!(is_redrawn, "click {selector}: {status}: {}", shown(&value["message"]));
        }
    }

    fn try_click(&self, selector: &str) -> Result<(), (u16, Value)> {
        let by = json!({ "using": "css selector", "value": selector });
        let element = self.try_ask("/element", &by)?;
        // As a reader does first with what is behind the bar at the top.
        let scroll = "arguments[0].scrollIntoView({ block: 'center' })";
        self.try_ask("/execute/sync", &json!({ "script": scroll, "args": [element] }))?;
        let id = element[ELEMENT].as_str().expect("an element");
        self.try_ask(&format!("/element/{id}/click"), &json!({}))?;
        Ok(())
    }

    /// The value, or the status and what the driver says about its error.
    fn try_ask(&self, path: &str, body: &Value) -> Result<Value, (u16, Value)> {
        let (status, value) = self
            .exchange("POST", &format!("{}{path}", self.session), body)
            .expect("chromedriver answers");
        if status == 200 { Ok(value) } else { Err((status, value)) }
    }

    /// Presses keys one after another.
    pub fn press(&self, keys: &[&str]) {
        let both = |key: &&str| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.iter().flat_map(both).collect();
        self.ask(
            "POST",
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        );
    }

    /// Presses the keys of a text.
    pub fn enter(&self, text: &str) {
        let keys: Vec<String> = text.chars().map(String::from).collect();
        self.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Sets the colour scheme that the system reports to the page.
    pub fn prefer_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Whether pages run their scripts from the next load on; those of the tests always run.
    pub fn without_scripts(&self, is: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": is }));
    }

    /// Console messages since the last call. The browser's own first page logs some where there is
    /// no network.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let messages =
            log.as_array().into_iter().flatten().filter_map(|entry| entry["message"].as_str());
        messages.filter(|message| !message.starts_with("chrome://")).map(str::to_owned).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, value) = self.exchange(method, path, body).expect("chromedriver answers");
        assert_eq!(status, 200, "{method} {path}: {}", shown(&value["message"]));
        value
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(HANG))?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
             application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        // The driver keeps the connection open in spite of `Connection: close`.
        let mut reply = BufReader::new(stream);
        let (mut status, mut n_bytes, mut line) = (0, 0, String::new());
        while reply.read_line(&mut line)? > 0 && line != "\r\n" {
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest
                    .split(' ')
                    .next()
                    .and_then(|status| status.parse().ok())
                    .unwrap_or_default();
            } else if let Some((_, value)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                n_bytes = value.trim().parse().unwrap_or_default();
            }
            line.clear();
        }
        let mut body = vec![0; n_bytes];
        reply.read_exact(&mut body)?;
        let mut reply: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok((status, reply["value"].take()))
    }
}

/// A running `chromedriver` and its port. It chooses a free port of IPv4 and ends if the same port
/// of IPv6 was taken by another program meanwhile: it is then started again.
fn driver(dir: &Path) -> (Child, u16) {
    let mut printed = String::new();
    for _ in 0..STARTS {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .env("TMPDIR", dir)
            .env("HOME", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut output =
            BufReader::new(driver.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = output.find_map(|line| {
            let port = line
                .split_once(" successfully on port ")
                .and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
            printed.push_str(&line);
            printed.push('\n');
            port
        });
        if let Some(port) = port {
            // Later output must not fill the pipe.
            std::thread::spawn(move || output.for_each(drop));
            return (driver, port);
        }
        let status = driver.wait().expect("chromedriver has ended");
        printed.push_str(&format!("{status}\n"));
    }
    panic!("chromedriver was started {STARTS} times and printed no port:\n{printed}");
}

/// Capabilities of a new session with this profile and folder of downloads.
fn capabilities(profile: &Path, downloads: &Path) -> Value {
    let args = [
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-extensions".to_owned(),
        "--force-prefers-reduced-motion".to_owned(),
        // Only the server under test is reachable.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
        format!("--user-data-dir={}", profile.display()),
    ];
    let hang_ms = HANG.as_millis() as u64;
    json!({
        "browserName": "chrome",
        "timeouts": { "script": hang_ms, "pageLoad": hang_ms },
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "args": args,
            "prefs": {
                "download.default_directory": downloads,
                "download.prompt_for_download": false,
                // Otherwise the browser asks before the second download of a page.
                "profile.default_content_setting_values.automatic_downloads": 1,
            },
        },
    })
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser's processes with its session.
        let _ = self.exchange("DELETE", &self.session, &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn shown(text: &Value) -> &str {
    text.as_str().unwrap_or_default()
}

/// The script of axe-core that `scripts/test` puts beside the build, or `None` with a notice.
pub fn axe() -> Option<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("axe-core").join("axe.min.js");
    let script = std::fs::read_to_string(&file).ok();
    if script.is_none() {
        eprintln!("skipped: there is no {}, which scripts/test fetches", file.display());
    }
    script
}
