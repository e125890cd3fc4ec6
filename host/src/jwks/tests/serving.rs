//! What callers get: while a set is fetched for the first time, when keys change, when a provider is down.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use serde_json::json;
use sluice_abi::Signature;
use tokio::task::JoinSet;

use super::pair::Pair;
use super::provider::{Answer, Provider, document, frozen, pass, started, until};
use super::{status, verify};
use crate::jwks::{Attempt, KeySetConfig, KeySets, KeySource, Lookup, Signed, Verification};

/// So many callers at once, each with its own kid that nobody has. Returns what they got.
async fn strangers(sets: &KeySets, count: usize) -> Vec<Verification> {
    let mut callers = JoinSet::new();
    for number in 0..count {
        let sets = sets.clone();
        callers.spawn(async move { verify(&sets, Some(&format!("stranger-{number}")), b"").await });
    }
    callers.join_all().await
}

#[test]
fn ten_thousand_at_the_start_wait_for_one_fetch() {
    frozen(async {
        let pair = Pair::new();
        let set = json!({ "keys": [pair.jwk("k")] });
        let provider = Provider::plain(move |_, _| document(&set)).await;
        let sets = started(provider.set());
        let signature: Arc<[u8]> = pair.sign(b"data").into();
        let mut callers = JoinSet::new();
        for _ in 0..10_000 {
            let (sets, signature) = (sets.clone(), Arc::clone(&signature));
            callers.spawn(async move { verify(&sets, Some("k"), &signature).await });
        }
        assert!(callers.join_all().await.iter().all(|got| *got == Verification::Verified));
        assert_eq!(provider.requests(), 1);
    });
}

#[test]
fn ten_thousand_unknown_kids_cost_one_fetch_per_cooldown() {
    frozen(async {
        let pair = Pair::new();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[pair.jwk("k")]);
        let sets = started(provider.set());
        // The first fetch is theirs as well.
        assert!(strangers(&sets, 10_000).await.iter().all(|got| *got == Verification::NoKey));
        assert_eq!(provider.requests(), 1);
        for cooldown in 1..10 {
            pass(29).await;
            assert!(strangers(&sets, 100).await.iter().all(|got| *got == Verification::NoKey));
            assert_eq!(provider.requests(), cooldown);
            pass(1).await;
            assert!(strangers(&sets, 10_000).await.iter().all(|got| *got == Verification::NoKey));
            assert_eq!(provider.requests(), cooldown + 1);
        }
        // Those that are known never waited.
        let signature = pair.sign(b"data");
        let signed =
            Signed { algorithm: Signature::Es256, kid: Some("k"), data: b"data", signature: &signature };
        assert!(matches!(sets.try_verify("a", signed), Attempt::Done(Verification::Verified)));
    });
}

#[test]
fn a_provider_that_fails_is_asked_once_per_cooldown_by_unknown_kids() {
    frozen(async {
        let provider = Provider::plain(|_, _| Answer::Whole(503, String::new(), String::new())).await;
        let sets = started(provider.set());
        for fetches in 1..6 {
            assert!(strangers(&sets, 2_000).await.iter().all(|got| *got == Verification::Unavailable));
            assert_eq!(provider.requests(), fetches);
            pass(30).await;
        }
        // It is back, and so are its keys.
        let pair = Pair::new();
        provider.publishes(&[pair.jwk("k")]);
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
    });
}

/// Threads that share nothing but the set, as workers do; the control runtime is one of the gateway's kind.
#[test]
fn workers_on_threads_of_their_own_are_served_by_one_fetch() {
    let pair = Pair::new();
    let set = json!({ "keys": [pair.jwk("k")] });
    let (answers, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let control =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()).unwrap();
    control.block_on(async {
        let open = Arc::clone(&answers);
        let provider = Provider::plain(move |_, _| {
            assert!(open.load(Ordering::SeqCst), "one fetch is enough");
            open.store(false, Ordering::SeqCst);
            document(&set)
        })
        .await;
        answers.store(true, Ordering::SeqCst);
        let sets = started(provider.set());
        let barrier = Arc::new(Barrier::new(4));
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (sets, barrier, finished) = (sets.clone(), Arc::clone(&barrier), Arc::clone(&finished));
                let signature = pair.sign(b"data");
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build_local(Default::default())
                        .unwrap();
                    runtime.block_on(async {
                        barrier.wait();
                        for round in 0..1000 {
                            assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified);
                            let stranger = format!("{worker}-{round}");
                            assert_eq!(verify(&sets, Some(&stranger), &signature).await, Verification::NoKey);
                        }
                    });
                    finished.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        until(|| workers.iter().all(|worker| worker.is_finished())).await;
        assert_eq!(finished.load(Ordering::SeqCst), 4);
        assert_eq!(provider.requests(), 1);
        assert_eq!(status(&sets).fetches, 1);
    });
}

#[test]
fn keys_rotate_under_load_without_a_wrongful_refusal() {
    frozen(async {
        let (old, new) = (Rc::new(Pair::new()), Rc::new(Pair::new()));
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[old.jwk("old")]);
        let sets = started(provider.set());
        let (is_new_used, is_over, verified) = (Cell::new(false), Cell::new(false), Cell::new(0));
        let load = async {
            let (by_old, by_new) = (old.sign(b"data"), new.sign(b"data"));
            while !is_over.get() {
                if is_new_used.get() {
                    assert_eq!(verify(&sets, Some("new"), &by_new).await, Verification::Verified);
                } else {
                    assert_eq!(verify(&sets, Some("old"), &by_old).await, Verification::Verified);
                }
                verified.set(verified.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let some_more = async || {
            let so_far = verified.get();
            until(|| verified.get() > so_far + 20).await;
        };
        let story = async {
            some_more().await;
            // A stranger has used up the cooldown just before.
            pass(40).await;
            assert_eq!(verify(&sets, Some("stranger"), b"").await, Verification::NoKey);
            // The new key is published, and used a cooldown later. Nothing but its use makes the gateway look.
            provider.publishes(&[old.jwk("old"), new.jwk("new")]);
            some_more().await;
            pass(30).await;
            let requests = provider.requests();
            is_new_used.set(true);
            some_more().await;
            assert_eq!(provider.requests(), requests + 1);
            // The old key is withdrawn, and goes with the next set.
            provider.publishes(&[new.jwk("new")]);
            pass(600).await;
            until(|| status(&sets).keys == Some((1, 0))).await;
            some_more().await;
            assert_eq!(verify(&sets, Some("old"), &old.sign(b"data")).await, Verification::NoKey);
            is_over.set(true);
        };
        tokio::join!(load, story);
        assert!(verified.get() > 80);
    });
}

#[test]
fn a_scheduled_fetch_does_not_keep_a_new_key_out() {
    frozen(async {
        let (old, new) = (Pair::new(), Pair::new());
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[old.jwk("old")]);
        let sets = started(provider.set());
        assert_eq!(verify(&sets, Some("old"), &old.sign(b"data")).await, Verification::Verified);
        pass(600).await;
        until(|| status(&sets).fetches == 2).await;
        // Published and used at once, a second after the set was fetched.
        provider.publishes(&[new.jwk("new")]);
        pass(1).await;
        assert_eq!(verify(&sets, Some("new"), &new.sign(b"data")).await, Verification::Verified);
        assert_eq!(provider.requests(), 3);
    });
}

#[test]
fn keys_outlive_their_provider_by_max_stale() {
    frozen(async {
        let pair = Pair::new();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[pair.jwk("k")]);
        let sets = started(provider.set());
        let signature = pair.sign(b"data");
        assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified);
        provider.does(|_, _| Answer::Whole(500, String::new(), String::new()));
        let mut failures = 0;
        // The set lasts 10 minutes, and a day beyond.
        for minutes in 1..10 + 24 * 60 {
            pass(60).await;
            assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified, "{minutes} min");
            if minutes % 60 == 0 {
                until(|| status(&sets).failures > failures).await;
                failures = status(&sets).failures;
            }
        }
        assert_eq!(verify(&sets, Some("stranger"), &signature).await, Verification::NotYet);
        // It backs off to once in 10 minutes, give or take, and not further.
        assert!((110..160).contains(&failures), "{failures}");
        pass(60).await;
        assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Unavailable);
        assert_eq!(status(&sets).keys, None);
        assert!(status(&sets).last_success.unwrap() <= status(&sets).last_failure.unwrap().0);
        assert!(matches!(sets.lookup("a", Some("k"), Signature::Es256), Lookup::Unavailable));
        provider.publishes(&[pair.jwk("k")]);
        pass(30).await;
        assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified);
    });
}

#[test]
fn who_names_no_key_is_tried_with_those_that_fit() {
    frozen(async {
        let pairs: Vec<Pair> = (0..10).map(|_| Pair::new()).collect();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        let jwks: Vec<_> = pairs.iter().map(|pair| pair.jwk("same")).collect();
        provider.publishes(&jwks);
        let sets = started(provider.set());
        for (number, pair) in pairs.iter().enumerate() {
            // No more than eight: what is beyond is not looked at.
            let expected = if number < 8 { Verification::Verified } else { Verification::Mismatch };
            assert_eq!(verify(&sets, None, &pair.sign(b"data")).await, expected, "{number}");
        }
        assert_eq!(provider.requests(), 1);
        // One that is published later is found like one with a name.
        let late = Pair::new();
        provider.publishes(&[late.jwk("late")]);
        pass(30).await;
        assert_eq!(verify(&sets, None, &late.sign(b"data")).await, Verification::Verified);
        assert_eq!(verify(&sets, None, &pairs[0].sign(b"data")).await, Verification::Mismatch);
        assert_eq!(provider.requests(), 2);
        let signed = |kid, algorithm| Signed { algorithm, kid, data: b"data", signature: b"" };
        assert_eq!(sets.verify("a", signed(None, Signature::Rs256)).await, Verification::NoKey);
        let named = signed(Some("late"), Signature::Rs256);
        assert_eq!(sets.verify("a", named).await, Verification::WrongAlgorithm);
        let named = signed(Some("late"), Signature::Es256);
        assert_eq!(sets.verify("a", named).await, Verification::Mismatch);
        assert_eq!(sets.verify("b", named).await, Verification::NoSet);
        assert_eq!(provider.requests(), 2);
    });
}

#[test]
fn a_caller_waits_no_longer_than_a_fetch_may_take() {
    frozen(async {
        let pair = Pair::new();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[pair.jwk("k")]);
        let sets = started(provider.set());
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
        provider.does(|_, _| Answer::Nothing);
        pass(30).await;
        let Lookup::Wait(ended) = sets.lookup("a", Some("stranger"), Signature::Es256) else {
            panic!("a fetch begins")
        };
        until(|| provider.requests() == 2).await;
        let waiting = tokio::spawn({
            let sets = sets.clone();
            async move { verify(&sets, Some("stranger"), b"").await }
        });
        // Others are not held up.
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
        assert!(!waiting.is_finished());
        pass(5).await;
        assert_eq!(waiting.await.unwrap(), Verification::NotYet);
        ended.await;
        assert!(matches!(sets.lookup("a", Some("stranger"), Signature::Es256), Lookup::Unknown));
    });
}

#[test]
fn sets_outlive_a_reload_and_end_with_the_last_that_has_them() {
    frozen(async {
        let pair = Pair::new();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[pair.jwk("k")]);
        let signature = pair.sign(b"data");
        let sets = started(provider.set());
        assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified);
        let control = tokio::runtime::Handle::current();
        // The same set: nothing is fetched.
        let same = KeySets::new([("a".into(), provider.set())], Some(&sets)).unwrap();
        same.start(&control);
        drop(sets);
        pass(1).await;
        assert_eq!(verify(&same, Some("k"), &signature).await, Verification::Verified);
        assert_eq!((provider.requests(), status(&same).fetches), (1, 1));
        // Another pace: it is fetched anew, and while the provider is down it has the keys that there were.
        provider.does(|_, _| Answer::Whole(500, String::new(), String::new()));
        let mut config = provider.set();
        config.refresh /= 2;
        let other = KeySets::new([("a".into(), config)], Some(&same)).unwrap();
        other.start(&control);
        until(|| status(&other).failures == 1).await;
        assert_eq!(verify(&other, Some("k"), &signature).await, Verification::Verified);
        // Another origin: those keys are not its.
        let elsewhere = KeySetConfig::new(KeySource::Url(format!("{}/other", provider.url)));
        let elsewhere = KeySets::new([("a".into(), elsewhere)], Some(&other)).unwrap();
        assert_eq!(verify(&elsewhere, Some("k"), &signature).await, Verification::Unavailable);
        drop((same, other, elsewhere));
        // At once, and not when the next fetch would be due: only the provider's own task is left.
        until(|| control.metrics().num_alive_tasks() == 1).await;
    });
}

#[test]
fn given_keys_are_there_without_a_fetch() {
    let pair = Pair::new();
    let text = json!({ "keys": [pair.jwk("k")] }).to_string();
    let sets = KeySets::new([("a".into(), KeySetConfig::new(KeySource::Keys(text)))], None).unwrap();
    assert!(sets.contains("a") && !sets.contains("b"));
    assert!(matches!(sets.lookup("a", Some("k"), Signature::Es256), Lookup::Found(keys) if keys.len() == 1));
    assert!(matches!(sets.lookup("a", Some("k"), Signature::EdDsa), Lookup::WrongAlgorithm));
    assert!(matches!(sets.lookup("a", Some("x"), Signature::Es256), Lookup::Unknown));
    assert!(matches!(sets.lookup("b", Some("x"), Signature::Es256), Lookup::NoSet));
    let signature = pair.sign(b"data");
    let signed = Signed { algorithm: Signature::Es256, kid: None, data: b"data", signature: &signature };
    assert!(matches!(sets.try_verify("a", signed), Attempt::Done(Verification::Verified)));
}
