//! Usage that is set aside, settled and recorded: by whom it is counted, whom it stops, and what is not.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::faulty_disk::SetClock;
use crate::harness::h2::H2;
use crate::harness::metering::{Books, consumer, gateway, key, setup};
use crate::harness::{Gateway, Origin, config, echo, guest, wait};

const REQUESTS: &str = "[meters.requests]\naggregation = \"count\"\n";
const COUNTED: &str = "[{ meter = \"requests\" }]";

fn service(origin: std::net::SocketAddr) -> String {
    config::service(origin, &["api-key", "meter"])
}

fn ask(gateway: &Gateway, name: &str) -> u16 {
    let (header, key) = key(name);
    gateway.get_with("/", &[(header, &key)]).status
}

fn books(gateway: &Gateway) -> Books {
    Books::at(&gateway.path("ledger.db"))
}

#[test]
fn a_request_that_was_answered_is_in_the_ledger() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + &consumer("acme", "")
        + &consumer("bolt", "")
        + &service(Origin::echo());
    let mut gateway = setup().start(&text);
    let books = books(&gateway);
    for count in 1..=20 {
        assert_eq!(ask(&gateway, "acme"), 200);
        assert_eq!(books.sum("acme", "requests"), count);
    }
    assert_eq!(ask(&gateway, "bolt"), 200);
    assert_eq!(ask(&gateway, "nobody"), 401);
    assert_eq!((books.sum("acme", "requests"), books.sum("bolt", "requests")), (20, 1));
    gateway.kill();
    assert_eq!(books.sum("acme", "requests"), 20);
    gateway.restart(&[]).unwrap();
    assert_eq!(ask(&gateway, "acme"), 200);
    assert_eq!(books.sum("acme", "requests"), 21);
}

#[test]
fn a_hard_quota_lets_exactly_as_many_through() {
    const QUOTA: usize = 100;
    let plan = format!(
        "[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {QUOTA}, per = \"month\" }}]\n"
    );
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + &plan
        + &consumer("acme", "free")
        + &consumer("bolt", "free")
        + &service(Origin::echo());
    let mut gateway = setup().start(&format!("workers = 2\n{text}"));
    let answers = rush(&gateway, "acme", 3 * QUOTA);
    assert_eq!(answers, (QUOTA, 2 * QUOTA));
    assert_eq!(books(&gateway).sum("acme", "requests"), QUOTA as i128);

    let (header, acme) = key("acme");
    let refused = gateway.get_with("/", &[(header, &acme)]);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"requests-month\";r=0;t="));
    let problem = refused.problem(429);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    assert_eq!(
        (&problem["meter"], &problem["limit"], &problem["per"]),
        (&"requests".into(), &"100".into(), &"month".into())
    );

    // Another's quota is another's, and its client sees how much is left.
    let (_, bolt) = key("bolt");
    let served = gateway.get_with("/", &[(header, &bolt)]).expect(200);
    assert_eq!(
        served.header("ratelimit").map(|field| field.split(";t=").next().unwrap().to_owned()),
        Some("\"requests-month\";r=99".to_owned())
    );
    assert!(
        served
            .header("ratelimit-policy")
            .is_some_and(|field| field.starts_with("\"requests-month\";q=100;w="))
    );

    gateway.kill();
    gateway.restart(&[]).unwrap();
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "bolt")), (429, 200));
    // A larger quota takes effect at once.
    let generation = gateway.generation();
    gateway.configure(&format!("workers = 2\n{}", text.replace("hard_quota = 100", "hard_quota = 101")));
    gateway.wait_for_generation_after(generation);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (200, 429));
}

/// Sends so many requests from eight clients: how many were served, and how many refused.
fn rush(gateway: &Gateway, name: &str, count: usize) -> (usize, usize) {
    const CLIENTS: usize = 8;
    let (served, refused, left) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(count));
    let (header, key) = key(name);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                    .is_ok()
                {
                    match client.request("GET", "/", &[(header, &key)], b"").status {
                        200 => served.fetch_add(1, Ordering::SeqCst),
                        402 | 429 => refused.fetch_add(1, Ordering::SeqCst),
                        other => panic!("status {other}"),
                    };
                }
            });
        }
    });
    (served.into_inner(), refused.into_inner())
}

#[test]
fn credit_is_spent_to_the_last_cent_and_not_beyond() {
    let plan = "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"1.00\" }\n\
                charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]\n";
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + plan
        + &consumer("acme", "paygo")
        + &service(Origin::echo());
    let gateway = setup().start(&format!("workers = 2\n{text}"));
    let (header, acme) = key("acme");
    let first = gateway.get_with("/", &[(header, &acme)]).expect(200);
    assert!(first.header("x-credit-remaining").is_some_and(|field| field.ends_with(" EUR")));
    assert_eq!(rush(&gateway, "acme", 300), (99, 201));
    let refused = gateway.get_with("/", &[(header, &acme)]);
    assert_eq!(refused.header("x-credit-remaining"), Some("0.00 EUR"));
    let problem = refused.problem(402);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    let balance =
        books(&gateway).ask(async |reader| reader.balance("acme", jiff::Timestamp::now()).await.unwrap());
    assert_eq!((balance.total, balance.debt), (0, 0));
}

#[test]
fn what_is_used_beyond_what_was_set_aside_is_not_there_for_the_next() {
    let origin = Origin::always("HTTP/1.1 200 OK\r\nx-tokens: 400\r\ncontent-length: 0\r\n\r\n");
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"tokens\", value = { response_header = \"x-tokens\" } }]")
            + "[meters.tokens]\naggregation = \"sum\"\n"
            + "[plans.free]\ncharges = [{ meter = \"tokens\", hard_quota = 1_000, per = \"year\" }]\n"
            + "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"1.00\" }\n\
               charges = [{ meter = \"tokens\", model = \"per_unit\", unit = \"0.001\" }]\n"
            + &consumer("acme", "free")
            + &consumer("bolt", "paygo")
            + &service(origin.address);
    let gateway = setup().start(&text);
    // One token is set aside for each, and 400 are used: after the third 1,200 are.
    let answers = |name| (0..5).map(|_| ask(&gateway, name)).collect::<Vec<_>>();
    assert_eq!(answers("acme"), [200, 200, 200, 429, 429]);
    assert_eq!(answers("bolt"), [200, 200, 200, 402, 402]);
    let books = books(&gateway);
    assert_eq!((books.sum("acme", "tokens"), books.sum("bolt", "tokens")), (1_200, 1_200));
    let balance = books.ask(async |reader| reader.balance("bolt", jiff::Timestamp::now()).await.unwrap());
    assert_eq!((balance.total, balance.debt), (-200_000_000, 200_000_000));
}

#[test]
fn nobody_comes_in_where_nothing_is_left_whatever_is_expected() {
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"work\", value = { response_header = \"x-work\" } }]")
            + "[meters.work]\naggregation = \"sum\"\nreserve = 0\n\
           [plans.none]\ncharges = [{ meter = \"work\", hard_quota = 0 }]\n"
            + &consumer("acme", "none")
            + &service(Origin::echo());
    assert_eq!(ask(&setup().start(&text), "acme"), 429);
}

#[test]
fn a_quota_that_is_lowered_holds_for_who_never_pauses() {
    let text = |quota: u32| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &format!(
                "[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {quota}, per = \"year\" }}]\n"
            )
            + &consumer("acme", "free")
            + &service(Origin::echo())
    };
    let gateway = setup().start(&format!("workers = 2\n{}", text(1_000_000)));
    let (header, acme) = key("acme");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while !over.load(Ordering::SeqCst) {
                    let status = client.request("GET", "/", &[(header, &acme)], b"").status;
                    assert!([200, 429].contains(&status), "{status}");
                }
            });
        }
        wait::until("it is used", || books(&gateway).sum("acme", "requests") > 50);
        let generation = gateway.generation();
        gateway.configure(&format!("workers = 2\n{}", text(10)));
        gateway.wait_for_generation_after(generation);
        wait::until("it is refused", || ask(&gateway, "acme") == 429);
        let used = books(&gateway).sum("acme", "requests");
        assert!((0..50).all(|_| ask(&gateway, "acme") == 429));
        assert_eq!(books(&gateway).sum("acme", "requests"), used);
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn credit_that_has_expired_lets_nobody_in() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"5.00\", expires = \"30m\" }\n\
           charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]\n"
        + &consumer("acme", "paygo")
        + &service(Origin::echo());
    let (setup, clock) = SetClock::of(setup());
    let gateway = setup.start(&text);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (200, 200));
    // Without a pause in which what is held would be given back.
    clock.set(3600);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (402, 402));
    assert_eq!(books(&gateway).sum("acme", "requests"), 2);
}

/// An upstream that answers by the request's path.
fn troubled() -> Origin {
    Origin::new(|request, stream| match request.line[1].as_str() {
        "/broken" => Err(std::io::ErrorKind::ConnectionReset.into()),
        "/half" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it")?;
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
        "/error" => stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
        "/missing" => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 16384])?;
            }
        }
        "/never" => {
            // The client leaves first.
            let mut nothing = [0];
            std::io::Read::read(stream, &mut nothing).map(drop)
        }
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    })
}

#[test]
fn who_got_no_answer_pays_for_none() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 4, per = \"month\" }]\n"
        + &consumer("acme", "free")
        + &service(troubled().address);
    let gateway = setup().start(&text);
    let books = books(&gateway);
    let (header, acme) = key("acme");
    let get = |path: &str| gateway.get_with(path, &[(header, &acme)]).status;
    // The gateway's own failure, and the upstream's.
    assert_eq!((get("/broken"), get("/error")), (502, 500));
    // A client that leaves before there is an answer.
    let mut client = gateway.connect();
    client.send(format!("GET /never HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n"));
    wait::until("the request is under way", || gateway.metrics().sum("sluice_exchanges", &[]) >= 1.0);
    drop(client);
    wait::until("the exchange has ended", || gateway.metrics().sum("sluice_exchanges", &[]) == 0.0);
    assert_eq!(books.sum("acme", "requests"), 0);
    // All of the quota is there still: nothing of what was set aside stayed away.
    for path in ["/", "/missing", "/", "/"] {
        assert!([200, 404].contains(&get(path)));
    }
    assert_eq!(get("/"), 429);
    assert_eq!(books.sum("acme", "requests"), 4);
}

#[test]
fn an_answer_that_is_cut_off_counts_with_what_was_sent() {
    let meters = "[{ meter = \"requests\" }, { meter = \"egress\", value = \"response_bytes\" }]";
    let text = gateway("sqlite:ledger.db", meters)
        + REQUESTS
        + "[meters.egress]\naggregation = \"sum\"\nunit = \"byte\"\n"
        + &consumer("acme", "")
        + &service(troubled().address);
    let gateway = setup().start(&text);
    let books = books(&gateway);
    let (header, acme) = key("acme");
    let mut client = gateway.connect();
    assert!(client.try_request("GET", "/half", &[(header, &acme)], b"").is_err());
    wait::until("it is recorded", || books.sum("acme", "requests") == 1);
    assert_eq!(books.sum("acme", "egress"), 10);
    // The client leaves in the middle.
    let mut client = std::net::TcpStream::connect(gateway.public).unwrap();
    write!(client, "GET /endless HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n").unwrap();
    std::io::Read::read_exact(&mut client, &mut [0; 100_000]).unwrap();
    drop(client);
    wait::until("it is recorded", || books.sum("acme", "requests") == 2);
    assert!(books.sum("acme", "egress") > 90_000);
}

#[test]
fn unanswered_requests_cost_what_was_reserved_where_the_meter_says_so() {
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"work\", value = { response_header = \"x-work\" } }]")
            + "[meters.work]\naggregation = \"sum\"\nreserve = 7\nunanswered = \"reserved\"\n"
            + &consumer("acme", "")
            + &service(troubled().address);
    let gateway = setup().start(&text);
    let (_, acme) = key("acme");
    let mut client = gateway.connect();
    client.send(format!("GET /never HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n"));
    wait::until("the request is under way", || gateway.metrics().sum("sluice_exchanges", &[]) >= 1.0);
    drop(client);
    wait::until("it is recorded", || books(&gateway).sum("acme", "work") == 7);
}

#[test]
fn a_step_that_faults_before_it_has_counted_lets_nobody_go_free() {
    let origin = Origin::new(|request, stream| {
        let status = if request.line[1] == "/error" { "500 Internal Server Error" } else { "200 OK" };
        write!(stream, "HTTP/1.1 {status}\r\nx-misbehave: yes\r\ncontent-length: 0\r\n\r\n")
    });
    let text = |on_error: &str| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &consumer("acme", "")
            + &config::plugin(
                "uncounted",
                &format!(
                    "capabilities = [\"meter\"]\non_error = \"{on_error}\"\ncircuit = {{ faults = 100000 }}"
                ),
            )
            + &config::service(origin.address, &["api-key", "uncounted"])
    };
    let gateway = setup().plugin("uncounted", guest("uncounted")).start(&text("allow"));
    let (books, (header, acme)) = (books(&gateway), key("acme"));
    let get = |path: &str| gateway.get_with(path, &[(header, &acme)]).status;
    // What it would have said is not known: what was set aside counts, unless the upstream failed.
    assert_eq!((get("/"), get("/"), get("/error")), (200, 200, 500));
    assert_eq!(books.sum("acme", "requests"), 2);
    // Where its fault denies, nobody got an answer and nobody pays.
    let generation = gateway.generation();
    gateway.configure(&text("deny"));
    gateway.wait_for_generation_after(generation);
    assert_eq!(get("/"), 500);
    assert_eq!(books.sum("acme", "requests"), 2);
}

#[test]
fn what_is_tried_again_counts_once() {
    // Each connection serves one request and is gone when the next one comes.
    let origin = Origin::raw(|mut stream, _| {
        let mut reader = std::io::BufReader::new(stream.try_clone()?);
        if echo::read(&mut reader)?.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
        echo::read(&mut reader).map(drop)
    });
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 10, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(origin.address);
    let gateway = setup().start(&format!("workers = 1\n{text}"));
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "acme"), 200);
    }
    assert!(origin.connections() >= 10, "it was tried again");
    assert_eq!(books(&gateway).sum("acme", "requests"), 10);
    assert_eq!(ask(&gateway, "acme"), 429);
}

#[test]
fn a_request_id_that_a_trusted_proxy_repeats_counts_once() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 2, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(Origin::echo())
        + "[listeners.public]\nbind = \"@public@\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    for _ in 0..5 {
        gateway.get_with("/", &[(header, &acme), ("x-request-id", "the-same")]).expect(200);
    }
    assert_eq!(books(&gateway).sum("acme", "requests"), 1);
    assert_eq!(gateway.metrics().sum("sluice_ledger_events_total", &[("result", "duplicate")]), 4.0);
    gateway.get_with("/", &[(header, &acme), ("x-request-id", "another")]).expect(200);
    gateway.get_with("/", &[(header, &acme), ("x-request-id", "a-third")]).problem(429);
}

#[test]
fn streams_of_one_connection_are_metered_each() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 30, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(Origin::echo());
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    let mut connection = H2::open(gateway.public);
    let answers = connection.together_with(40, "/", &[(header, &acme)]);
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((served, answers.len()), (30, 40));
    assert_eq!(books(&gateway).sum("acme", "requests"), 30);
}

#[test]
fn the_end_of_a_stream_waits_for_the_ledger() {
    let origin = Origin::new(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
        )?;
        for number in 1..=3 {
            let event = format!("data: {{\"usage\":{{\"total_tokens\":{}}}}}\n\n", number * 11);
            write!(stream, "{:x}\r\n{event}\r\n", event.len())?;
        }
        stream.write_all(b"0\r\n\r\n")
    });
    let meters = "[{ meter = \"tokens\", value = { response_json = \"$.usage.total_tokens\" } }]";
    let text = gateway("sqlite:ledger.db", meters)
        + "[meters.tokens]\naggregation = \"sum\"\n"
        + &consumer("acme", "")
        + &service(origin.address);
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    for count in 1..=5 {
        let answer = gateway.get_with("/", &[(header, &acme)]).expect(200);
        assert!(answer.text().ends_with("\"total_tokens\":33}}\n\n"));
        assert_eq!(books(&gateway).sum("acme", "tokens"), 33 * count);
    }
}

#[test]
fn a_reload_moves_nobody_s_usage() {
    let text = |quota: u32, route: &str| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &format!("[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {quota} }}]\n")
            + &consumer("acme", "free")
            + &config::upstream("service", troubled().address)
            + &config::route(route, "/**", &["api-key", "meter"])
    };
    let gateway = setup().start(&text(1000, "a"));
    let mut sent = 0;
    for round in 0..10 {
        let generation = gateway.generation();
        gateway.configure(&text(1000 + round, if round % 2 == 0 { "b" } else { "a" }));
        sent += rush(&gateway, "acme", 20).0;
        gateway.wait_for_generation_after(generation);
    }
    assert_eq!(sent, 200);
    assert_eq!(books(&gateway).sum("acme", "requests"), 200);
}

#[test]
fn two_gateways_do_not_share_a_file() {
    let text =
        gateway("sqlite:@ledger@", COUNTED) + REQUESTS + &consumer("acme", "") + &service(Origin::echo());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db").display().to_string();
    let text = text.replace("@ledger@", &path);
    let first = setup().start(&text);
    let ended = setup().try_start(&text).err().expect("the file is taken");
    assert!(ended.output.contains("another gateway is using the ledger"), "{}", ended.output);
    assert_eq!(ask(&first, "acme"), 200);
}
