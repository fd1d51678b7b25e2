//! What fails at random, and what the sandbox says that it has served.

use serde_json::{Value, json};

use super::{BOTH, FAST, Running, chat, client, start, text_of};

const RANDOM: &str = "stall_ms = 1\nfault_after_tokens = 2\n[default.random]\none_in = 3\nfrom = 2\n\
    faults = [\"overloaded\", \"stall-mid-stream\"]\n";

/// What the sandbox says over HTTP.
async fn told(sandbox: &Running) -> Value {
    let told = client().get(format!("http://{}/", sandbox.addr)).send().await.unwrap();
    serde_json::from_str(&told.text().await.unwrap()).unwrap()
}

/// What twenty requests at a provider met.
async fn met(sandbox: &Running, id: &str) -> Vec<&'static str> {
    let mut met = Vec::new();
    for _ in 0..20 {
        let response = chat(sandbox, id, BOTH[0], &json!({ "stream": true })).await;
        met.push(match response.status().as_u16() {
            503 => "overloaded",
            200 => match response.text().await {
                Ok(body) => {
                    assert_eq!(text_of(&body), "[sandbox] This is a");
                    "whole"
                }
                Err(_) => "stall-mid-stream",
            },
            other => panic!("{other}"),
        });
    }
    met
}

#[tokio::test]
async fn what_fails_at_random_is_the_same_again_and_is_counted() {
    let providers = [("a", BOTH[0]), ("b", BOTH[0])];
    let sandbox = start(&format!("{FAST}{RANDOM}"), &providers).await;
    let (a, b) = (met(&sandbox, "a").await, met(&sandbox, "b").await);
    assert_ne!(a, b, "each provider by itself");
    assert_eq!(a[..2], ["whole", "whole"], "the first two are spared");
    let again = start(&format!("{FAST}{RANDOM}"), &providers).await;
    assert_eq!((&a, &b), (&met(&again, "a").await, &met(&again, "b").await));
    let other = start(&format!("{FAST}{RANDOM}").replace("seed = 1", "seed = 2"), &providers).await;
    assert_ne!(a, met(&other, "a").await, "another seed");
    let count = |met: &[&str], what| met.iter().filter(|one| **one == what).count();
    let whole = json!({
        "a": { "whole": count(&a, "whole"), "overloaded": count(&a, "overloaded"),
               "stall-mid-stream": count(&a, "stall-mid-stream") },
        "b": { "whole": count(&b, "whole"), "overloaded": count(&b, "overloaded"),
               "stall-mid-stream": count(&b, "stall-mid-stream") },
    });
    assert_eq!(told(&sandbox).await, json!({ "sandbox": "test", "seed": 1, "under_way": 0, "served": whole }));
}

#[tokio::test]
async fn what_is_refused_or_left_is_no_answer() {
    let sandbox = start(&FAST.replace("ttft_ms = 0", "ttft_ms = 600000"), &[("a", BOTH[0]), ("b", BOTH[0])]).await;
    assert_eq!(super::ask(&sandbox, "a", BOTH[0], &json!({})).send().await.unwrap().status(), 401);
    let waiting = tokio::spawn(super::ask(&sandbox, "a", BOTH[0], &json!({})).bearer_auth(super::KEY).send());
    while sandbox.active() == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    while sandbox.active() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&sandbox).await["served"], json!({ "a": { "refused": 1, "left": 1 } }));
    assert_eq!(sandbox.requests().into_values().collect::<Vec<_>>(), [2, 0]);
}
