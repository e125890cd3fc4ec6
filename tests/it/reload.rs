//! Hot reload: whatever way a file changes, the next request uses it, also on open connections; what is refused changes
//! nothing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::mpsc;

use crate::harness::guests::mixed;
use crate::harness::{
    Connection, Gateway, Origin, Probe, Response, Setup, config, guest, guests, h2::H2, wait,
};

fn tagged(label: &str, more: &str) -> String {
    config::plugin("tag", &format!("config = {{ label = \"{label}\" }}")) + more
}

fn start(origin: std::net::SocketAddr) -> Gateway {
    Setup::new().plugin("tag", guests::tag(1)).start(&tagged("a", &config::service(origin, &["tag"])))
}

#[track_caller]
fn mark(response: &Response) -> String {
    assert_eq!(mixed(response), None);
    response.header("x-tag").unwrap().to_owned()
}

#[track_caller]
fn wait_for_mark(client: &mut Connection, wanted: &str) {
    wait::until(&format!("`{wanted}` serves"), || mark(&client.get("/")) == wanted);
}

#[test]
fn open_connections_get_the_new_plugin_with_their_next_request() {
    let gateway = start(Origin::echo());
    let mut h1 = gateway.connect();
    let mut h2 = H2::open(gateway.public);
    assert_eq!(mark(&h1.get("/")), "build-000001/a");
    assert_eq!(mark(&h2.get("/")), "build-000001/a");
    let generation = gateway.generation();
    gateway.install_plugin("tag", guests::tag(2));
    gateway.wait_for_generation_after(generation);
    assert_eq!(mark(&h1.get("/")), "build-000002/a");
    assert_eq!(mark(&h2.get("/")), "build-000002/a");
    for _ in 0..20 {
        assert_eq!(mark(&gateway.get("/")), "build-000002/a", "every worker has it");
    }
}

#[test]
fn an_exchange_keeps_the_plugin_it_began_with() {
    let (got, arrivals) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |request, stream| {
        let body = request.to_json();
        let (first, second) = body.split_at(10);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{first}", body.len())?;
        if request.line[1] == "/slow" {
            let _ = got.send(());
            let _ = gate.lock().unwrap().recv_timeout(wait::DEADLINE);
        }
        stream.write_all(second.as_bytes())
    });
    let gateway = start(origin.address);
    let mut slow = gateway.connect();
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    arrivals.recv_timeout(wait::DEADLINE).unwrap();
    gateway.install_plugin("tag", guests::tag(2));
    wait_for_mark(&mut gateway.connect(), "build-000002/a");
    go.send(()).unwrap();
    assert_eq!(mark(&slow.read()), "build-000001/a");
    assert_eq!(mark(&slow.get("/")), "build-000002/a", "the next one on the same connection");
}

#[test]
fn the_configuration_is_swapped_whole() {
    let gateway = start(Origin::echo());
    let mut client = gateway.connect();
    assert_eq!(client.get("/new").status, 200);
    let other = Origin::always("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother");
    gateway.configure(&tagged(
        "b",
        &(config::service(Origin::echo(), &["tag"])
            + &config::upstream("other", other.address)
            + "[routes.new]\nmatch = { path = \"/new\" }\nto = \"other\"\n"),
    ));
    wait_for_mark(&mut client, "build-000001/b");
    assert_eq!(client.get("/new").expect(200).text(), "other");
}

#[test]
fn every_way_to_replace_a_file_is_seen() {
    let gateway = start(Origin::echo());
    let mut client = gateway.connect();
    let probe = Probe::checking(gateway.public, "/", mixed);
    let file = gateway.path("plugins/tag.wasm");

    // An editor that writes in place.
    gateway.overwrite("plugins/tag.wasm", guests::tag(2));
    wait_for_mark(&mut client, "build-000002/a");

    // An editor that moves the old one away first.
    fs::rename(&file, gateway.path("plugins/tag.wasm~")).unwrap();
    gateway.overwrite("plugins/tag.wasm", guests::tag(3));
    wait_for_mark(&mut client, "build-000003/a");

    // A copy that is slow: the first half, for a while, is all there is.
    let bytes = guests::tag(4);
    gateway.overwrite("plugins/tag.wasm", &bytes[..bytes.len() / 2]);
    gateway.wait_for_log(&["reload refused"]);
    assert_eq!(mark(&client.get("/")), "build-000003/a");
    gateway.overwrite("plugins/tag.wasm", &bytes);
    wait_for_mark(&mut client, "build-000004/a");

    // Deleted, and put back.
    fs::remove_file(&file).unwrap();
    wait::until("the loss is told", || !gateway.snapshot()["last_refused_reload"].is_null());
    assert_eq!(mark(&client.get("/")), "build-000004/a");
    gateway.install_plugin("tag", guests::tag(5));
    wait_for_mark(&mut client, "build-000005/a");
    wait::until("and is forgiven", || gateway.snapshot()["last_refused_reload"].is_null());

    // The whole directory is replaced.
    fs::rename(gateway.path("plugins"), gateway.path("plugins-old")).unwrap();
    gateway.install_plugin("tag", guests::tag(6));
    wait_for_mark(&mut client, "build-000006/a");
    probe.finish();
}

#[test]
fn the_symlink_swap_of_a_mounted_config_map_is_seen() {
    // As Kubernetes does it: mount/<file> -> ..data/<file>, ..data -> ..<time>, and ..data is replaced by a rename.
    let setup =
        Setup::new().file("mount/..1/tag.wasm", guests::tag(1)).file("mount/..2/tag.wasm", guests::tag(2));
    symlink("..1", setup.path().join("mount/..data")).unwrap();
    symlink("..data/tag.wasm", setup.path().join("mount/tag.wasm")).unwrap();
    let text =
        tagged("a", &config::service(Origin::echo(), &["tag"])).replace("plugins/tag.wasm", "mount/tag.wasm");
    let gateway = setup.start(&text);
    let probe = Probe::checking(gateway.public, "/", mixed);
    let mut client = gateway.connect();
    for (target, wanted) in [("..2", "build-000002/a"), ("..1", "build-000001/a"), ("..2", "build-000002/a")]
    {
        symlink(target, gateway.path("mount/..data_tmp")).unwrap();
        fs::rename(gateway.path("mount/..data_tmp"), gateway.path("mount/..data")).unwrap();
        wait_for_mark(&mut client, wanted);
    }
    probe.finish();
}

#[test]
fn included_files_are_watched_and_new_ones_are_found() {
    let setup =
        Setup::new().file("conf.d/one.toml", "[routes.one]\nmatch = { path = \"/one\" }\nto = \"service\"\n");
    let text = format!("include = [\"conf.d/*.toml\"]\n{}", config::upstream("service", Origin::echo()));
    let gateway = setup.start(&text);
    gateway.get("/one").expect(200);
    gateway.get("/two").expect(404);
    gateway.write("conf.d/two.toml", "[routes.two]\nmatch = { path = \"/two\" }\nto = \"service\"\n");
    wait::until("the new file is in force", || gateway.get("/two").status == 200);
    fs::remove_file(gateway.path("conf.d/one.toml")).unwrap();
    wait::until("the gone file is not", || gateway.get("/one").status == 404);
}

#[test]
fn a_refused_configuration_says_why_and_changes_nothing() {
    let gateway = start(Origin::echo());
    let generation = gateway.generation();
    let good = fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    gateway.write("gateway.toml", format!("{good}\n[routes.bad]\nto = \"nowhere\"\ncolour = \"red\"\n"));
    gateway.wait_for_log(&["reload refused"]);
    let snapshot = wait::until_some("the refusal is told", || {
        let snapshot = gateway.snapshot();
        (!snapshot["last_refused_reload"].is_null()).then_some(snapshot)
    });
    let problems = snapshot["last_refused_reload"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for problem in problems {
        assert!(problem["line"].as_u64() > Some(1) && problem["file"].is_string(), "{problem}");
    }
    assert_eq!(gateway.generation(), generation);
    assert_eq!(mark(&gateway.get("/")), "build-000001/a");
    assert!(gateway.metrics().sum("sluice_reloads_total", &[("result", "refused")]) >= 1.0);
    assert_eq!(gateway.metrics().sum("sluice_reload_last_refused", &[]), 1.0);

    gateway.write("gateway.toml", good);
    wait::until("the refusal is forgotten", || gateway.snapshot()["last_refused_reload"].is_null());
    assert_eq!(gateway.metrics().sum("sluice_reload_last_refused", &[]), 0.0);
}

#[test]
fn a_reload_can_be_asked_for() {
    let text = tagged("a", &config::service(Origin::echo(), &["tag"])) + "[reload]\nwatch = false\n";
    let gateway = Setup::new().plugin("tag", guests::tag(1)).start(&text);
    assert_eq!(gateway.reload().expect(200).json()["result"], "unchanged");

    gateway.install_plugin("tag", guests::tag(2));
    let answer = gateway.reload().expect(200).json();
    assert_eq!(answer["result"], "published");
    assert_eq!(answer["generation"], gateway.generation());
    assert_eq!(mark(&gateway.get("/")), "build-000002/a", "it is in force when the answer comes");

    gateway.install_plugin("tag", b"nonsense");
    let refused = gateway.reload().expect(422).json();
    assert!(refused["problems"][0]["message"].as_str().unwrap().contains("tag"), "{refused}");

    gateway.install_plugin("tag", guests::tag(3));
    let id = gateway.id().to_string();
    std::process::Command::new("sh").args(["-c", "kill -HUP \"$1\"", "sh", &id]).status().unwrap();
    wait_for_mark(&mut gateway.connect(), "build-000003/a");
}

#[test]
fn listeners_come_and_go() {
    let gateway = start(Origin::echo());
    let base = tagged("a", &config::service(Origin::echo(), &["tag"]));
    let second = crate::harness::ports::free();
    let mut resting = gateway.connect();
    resting.get("/").expect(200);
    gateway.configure(&format!("{base}[listeners.second]\nbind = \"{second}\"\n"));
    wait::until("the new listener serves", || {
        Connection::try_open(second)
            .and_then(|mut client| client.try_get("/"))
            .is_ok_and(|answer| answer.status == 200)
    });
    assert_eq!(resting.get("/").status, 200, "the old one was not touched");
    let mut client = Connection::open(second);
    client.get("/").expect(200);
    gateway.configure(&base);
    wait::until("the listener is closed", || Connection::try_open(second).is_err());
    assert!(client.is_closed(), "and so are its connections once they rest");
    assert_eq!(resting.get("/").status, 200);
}

#[test]
fn a_taken_address_refuses_the_reload_alone() {
    let gateway = start(Origin::echo());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = tagged("b", &config::service(Origin::echo(), &["tag"]));
    gateway.configure(&format!("{base}[listeners.second]\nbind = \"{}\"\n", taken.local_addr().unwrap()));
    gateway.wait_for_log(&["cannot bind"]);
    assert_eq!(mark(&gateway.get("/")), "build-000001/a");
}

#[test]
fn many_reloads_under_load_fail_nothing_and_mix_nothing() {
    let origin = Origin::echo();
    let gateway = start(origin);
    let probes = [Probe::checking(gateway.public, "/", mixed), Probe::checking(gateway.public, "/", mixed)];
    let (stop, stopped) = mpsc::channel::<()>();
    let public = gateway.public;
    let h2 = std::thread::spawn(move || {
        let mut client = H2::open(public);
        let mut served = 0;
        while stopped.try_recv().is_err() {
            for response in client.together(4, "/") {
                assert_eq!(mixed(&response), None);
                served += 1;
            }
        }
        served
    });
    let mut generation = gateway.generation();
    for round in 0..40_u32 {
        gateway.install_plugin("tag", guests::tag(round % 2));
        if round % 5 == 0 {
            gateway.configure(&tagged(&format!("c{round}"), &config::service(origin, &["tag"])));
        }
        generation = gateway.wait_for_generation_after(generation);
    }
    stop.send(()).unwrap();
    assert!(h2.join().unwrap() > 100);
    let served: usize = probes.map(Probe::finish).iter().sum();
    assert!(served > 100, "{served}");
}

#[test]
fn the_last_good_plugin_serves_while_a_worse_one_lies_there() {
    let gateway = start(Origin::echo());
    let probe = Probe::checking(gateway.public, "/", mixed);
    for bad in ["loop-in-start", "bad-descriptor", "unknown-import"] {
        let refused = gateway.metrics().sum("sluice_reloads_total", &[("result", "refused")]);
        gateway.install_plugin("tag", guest(bad));
        wait::until(&format!("{bad} is refused"), || {
            gateway.metrics().sum("sluice_reloads_total", &[("result", "refused")]) > refused
        });
        assert_eq!(mark(&gateway.get("/")), "build-000001/a");
    }
    probe.finish();
}

#[test]
fn a_refused_file_is_mended_by_the_plugin_it_names() {
    let gateway = start(Origin::echo());
    let base = tagged("a", &config::service(Origin::echo(), &["tag"]));
    gateway.configure(&format!("{base}{}", config::plugin("second", "")));
    gateway.wait_for_log(&["reload refused"]);
    let generation = gateway.generation();
    gateway.install_plugin("second", guest("noop"));
    gateway.wait_for_generation_after(generation);
}

#[test]
fn a_new_snapshots_circuits_are_closed_for_the_metrics_too() {
    let text = |status: u32| {
        let circuit = "circuit = { faults = 1, window = \"1ms\", open = \"1h\" }";
        config::plugin("trap", &format!("on_error = {{ respond = {status} }}\n{circuit}"))
            + "[reload]\nwatch = false\n"
            + &config::service(Origin::echo(), &["trap"])
    };
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text(503));
    let state = || gateway.metrics().sum("sluice_step_circuit_state", &[("step", "trap")]);
    wait::until("a circuit is open", || {
        gateway.get_with("/", &[("x-misbehave", "1")]).expect(503);
        state() == 2.0
    });
    gateway.configure(&text(502));
    gateway.reload().expect(200);
    assert_eq!(state(), 0.0);
    gateway.get("/").expect(200);
}
