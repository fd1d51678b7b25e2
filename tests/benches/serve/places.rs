//! The programs that are measured: nginx as upstream and as proxy, and the gateway.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::paced;

/// Models whose cheaper provider answers 503, each asked for once.
pub(crate) const FAILOVERS: usize = 50;

/// nginx: an upstream that answers from memory or refuses, and a proxy before it.
pub(crate) struct Nginx {
    child: Child,
    folder: PathBuf,
    pub(crate) upstream: u16,
    pub(crate) proxy: u16,
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A folder of this run's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("openmux-bench-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn await_port(port: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Nginx {
    /// Starts it; `None` where it is not installed.
    pub(crate) fn start(pieces: usize) -> Option<Self> {
        let folder = folder("nginx");
        let (upstream, proxy) = (free_port(), free_port());
        let whole = r#"{"id":"c1","object":"chat.completion","created":1700000000,"model":"static","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help you today?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}"#;
        std::fs::write(folder.join("whole.json"), whole).expect("a file");
        let mut events = String::new();
        for number in 0..pieces - 1 {
            events.push_str(&paced::piece(&format!(" word{number}")));
        }
        events.push_str(paced::END);
        std::fs::write(folder.join("events.sse"), events).expect("a file");
        let config = CONFIG
            .replace("FOLDER", &folder.display().to_string())
            .replace("P_UPSTREAM", &upstream.to_string())
            .replace("P_PROXY", &proxy.to_string());
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).expect("a file");
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).exists());
        let child = Command::new(program.unwrap_or("nginx"))
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        await_port(upstream);
        Some(Self { child, folder, upstream, proxy })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Nothing is there to be sent to, and what is answered to that is the file.
const CONFIG: &str = r#"
daemon off; worker_processes 2; pid FOLDER/nginx.pid; error_log FOLDER/error.log;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 100000000; tcp_nodelay on; sendfile on; open_file_cache max=16;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/temp; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    types { application/json json; text/event-stream sse; }
    upstream behind { server 127.0.0.1:P_UPSTREAM; keepalive 128; keepalive_requests 100000000; }
    server {
        listen 127.0.0.1:P_UPSTREAM; root FOLDER;
        location /whole/ { error_page 404 405 =200 /whole.json; }
        location /stream/ { error_page 404 405 =200 /events.sse; }
        location /refusing/ {
            default_type application/json;
            return 503 '{"error":{"message":"overloaded","type":"server_error"}}';
        }
    }
    server {
        listen 127.0.0.1:P_PROXY;
        location / {
            proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        }
    }
}
"#;

/// The gateway.
pub(crate) struct Gateway {
    child: Child,
    folder: PathBuf,
    pub(crate) port: u16,
    /// From its start to the line that says where it listens.
    pub(crate) ready: Duration,
}

impl Gateway {
    /// Starts it with an overlay that names the upstreams.
    pub(crate) fn start(nginx: &Nginx, paced: u16) -> Self {
        let folder = folder("gateway");
        let overlays = folder.join(".config/openmux/catalog.d");
        std::fs::create_dir_all(&overlays).expect("a folder");
        std::fs::write(overlays.join("bench.toml"), overlay(nginx, paced)).expect("a file");
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/openmux");
        let binary = std::env::var_os("OPENMUX_BINARY").map_or(built, PathBuf::from);
        let began = Instant::now();
        let mut child = Command::new(&binary)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("HOME", &folder)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --release", binary.display()));
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.split("http://127.0.0.1:").nth(1)?;
            address.split('/').next()?.parse().ok()
        });
        let ready = began.elapsed();
        // What it says of each request is read, as a log would.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let port = port.expect("it says where it listens");
        Self { child, folder, port, ready }
    }

    /// What it holds in memory.
    pub(crate) fn resident(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
        kilobytes.map_or("unknown".to_owned(), |kilobytes: f64| format!("{:.1} MB", kilobytes * 1024.0 / 1e6))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn overlay(nginx: &Nginx, paced: u16) -> String {
    let mut text = String::new();
    let upstream = nginx.upstream;
    let providers = [
        ("whole", format!("{upstream}/whole/v1")),
        ("stream", format!("{upstream}/stream/v1")),
        ("refusing", format!("{upstream}/refusing/v1")),
        ("paced", format!("{paced}/v1")),
    ];
    for (name, address) in providers {
        let _ = write!(
            text,
            "[provider.{name}]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:{address}\"\nauth = \"none\"\n\n"
        );
    }
    let mut offer = |provider: &str, model: &str, price: &str| {
        let _ = write!(
            text,
            "[[endpoint]]\nprovider = \"{provider}\"\nmodel = \"bench/{model}\"\nid = \"{model}\"\n\
             context = 128000\nprice = {{ input = \"{price}\", output = \"{price}\" }}\n\n"
        );
    };
    for name in ["whole", "stream", "paced"] {
        offer(name, name, "1.00");
    }
    for number in 0..FAILOVERS {
        offer("whole", &format!("steady-{number}"), "1.00");
        offer("whole", &format!("failover-{number}"), "1.00");
        offer("refusing", &format!("failover-{number}"), "0.10");
    }
    text
}
