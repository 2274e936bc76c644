//! The order in which a dispatcher learns of events and ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::dispatcher::Dispatcher;
use super::event::{Event, EventKind};
use super::op::{NextEvent, Op};
use super::watch::Notice;
use crate::error::Code;
use crate::response::Response;

const ROUNDS: usize = 1000;
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Starts an operation that sends these many events and ends.
fn sending(events: usize) -> Op {
    let op = Op::start(Arc::default(), None, move |task| async move {
        (0..events).for_each(|n| task.emit(Event::json(EventKind::Log, &json!(n))));
        Ok(Response::made(&json!(null)))
    });
    op.unwrap()
}

fn spin_until_ended(op: &Op) {
    while !op.poll().unwrap() {
        std::hint::spin_loop();
    }
}

#[test]
fn who_sees_the_end_finds_its_callback_and_its_notice() {
    let dispatcher = Dispatcher::new();
    for n in 0..ROUNDS {
        let op = sending(0);
        dispatcher.watch(&op, n).unwrap();
        dispatcher.when_done(&op, |_| {}).unwrap();
        match n % 2 {
            0 => spin_until_ended(&op),
            _ => drop(op.wait(PATIENCE).unwrap()),
        }
        let notice = dispatcher.next(NOW).unwrap().expect("no notice");
        assert!(notice.event().is_none() && notice.tag() == Some(&n));
        assert_eq!(dispatcher.run(1, None).unwrap(), 1, "no callback");
    }
    assert_eq!(dispatcher.outstanding(), 0);
}

#[test]
fn who_gets_the_callback_or_the_notice_sees_the_end() {
    let dispatcher = Dispatcher::new();
    for n in 0..ROUNDS {
        let op = sending(0);
        if n % 2 == 0 {
            dispatcher.watch(&op, ()).unwrap();
            let notice = dispatcher.next(PATIENCE).unwrap().unwrap();
            assert!(notice.op().poll().unwrap() && notice.op().take().is_some());
        } else {
            let check = |op: Op| assert!(op.poll().unwrap() && op.take().is_some());
            dispatcher.when_done(&op, check).unwrap();
            while dispatcher.run(1, None).unwrap() == 0 {
                assert!(dispatcher.wait(PATIENCE).unwrap());
            }
        }
    }
}

#[test]
fn every_callback_for_events_comes_before_the_last_one() {
    let dispatcher = Dispatcher::new();
    for _ in 0..100 {
        let op = sending(3);
        let told = Arc::new(Mutex::new(Vec::new()));
        let (events, end) = (told.clone(), told.clone());
        let read = move |op: Op| {
            while let NextEvent::Event(event) = op.wait_event(NOW).unwrap() {
                events.lock().unwrap().push(event.get("").unwrap().clone());
            }
        };
        dispatcher.when_event(&op, read).unwrap();
        let ended = move |_| end.lock().unwrap().push(json!("end"));
        dispatcher.when_done(&op, ended).unwrap();
        op.wait(PATIENCE).unwrap();
        dispatcher.run(usize::MAX, None).unwrap();
        assert_eq!(
            *told.lock().unwrap(),
            [json!(0), json!(1), json!(2), json!("end")]
        );
    }
}

#[test]
fn no_callback_for_events_follows_the_last_one_or_was_taken_back() {
    let dispatcher = Dispatcher::new();
    let has_ended = Arc::new(AtomicBool::new(false));
    let op = sending(1);
    op.wait(PATIENCE).unwrap();
    let ended = has_ended.clone();
    let end = move |_| ended.store(true, Ordering::Release);
    dispatcher.when_done(&op, end).unwrap();
    // Its call is queued behind the one for the end.
    dispatcher.when_event(&op, |_| panic!("called")).unwrap();
    assert_eq!(dispatcher.run(usize::MAX, None).unwrap(), 1);
    assert!(has_ended.load(Ordering::Acquire));

    dispatcher.when_event(&op, |_| panic!("called")).unwrap();
    dispatcher.take_back(&op).unwrap();
    assert_eq!(dispatcher.run(usize::MAX, None).unwrap(), 0);

    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let count = move |_| {
        counted.fetch_add(1, Ordering::AcqRel);
    };
    dispatcher.when_event(&op, |_| panic!("called")).unwrap();
    dispatcher.when_event(&op, count).unwrap();
    assert_eq!(dispatcher.run(usize::MAX, None).unwrap(), 1);
    assert_eq!(calls.load(Ordering::Acquire), 1);
    assert_eq!(dispatcher.outstanding(), 0);
}

#[test]
fn there_is_no_call_for_events_that_were_read() {
    let dispatcher = Dispatcher::new();
    let op = sending(1);
    op.wait(PATIENCE).unwrap();
    dispatcher.when_event(&op, |_| panic!("called")).unwrap();
    assert!(matches!(op.wait_event(NOW), Ok(NextEvent::Event(_))));
    assert_eq!(dispatcher.run(usize::MAX, None).unwrap(), 0);
}

#[test]
fn watched_operations_take_turns() {
    let dispatcher = Dispatcher::new();
    let ops = [sending(3), sending(3)];
    for (n, op) in ops.iter().enumerate() {
        op.wait(PATIENCE).unwrap();
        dispatcher.watch(op, n).unwrap();
    }
    let next = || dispatcher.next(NOW).unwrap();
    let turn = |notice: Notice| {
        (
            *notice.tag::<usize>().unwrap(),
            notice.into_event().is_some(),
        )
    };
    let turns: Vec<_> = std::iter::from_fn(next).map(turn).collect();
    let each = [true, true, true, false];
    assert_eq!(
        turns,
        each.map(|event| [(0, event), (1, event)]).as_flattened()
    );
    assert_eq!(dispatcher.outstanding(), 0);
}

#[test]
fn many_readers_get_each_notice_once() {
    const EVENTS: usize = 200;
    let dispatcher = Dispatcher::new();
    let ops: Vec<_> = (0..20).map(|_| sending(EVENTS)).collect();
    let ends = AtomicUsize::new(0);
    let events = AtomicUsize::new(0);
    ops.iter().for_each(|op| dispatcher.watch(op, ()).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while dispatcher.outstanding() > 0 {
                    match dispatcher.next(Some(Duration::from_millis(20))).unwrap() {
                        Some(notice) if notice.event().is_none() => &ends,
                        Some(_) => &events,
                        None => continue,
                    }
                    .fetch_add(1, Ordering::AcqRel);
                }
            });
        }
    });
    let read = (events.into_inner(), ends.into_inner());
    assert_eq!(read, (20 * EVENTS, 20));
}

#[test]
fn the_first_that_ends_of_several() {
    let (give, given) = tokio::sync::oneshot::channel::<()>();
    let waiting = Op::start(Arc::default(), None, |_| async {
        let _ = given.await;
        Ok(Response::made(&json!(null)))
    });
    let pending = Op::start(Arc::default(), None, |_| std::future::pending());
    let (waiting, pending) = (waiting.unwrap(), pending.unwrap());
    let ops = [&pending, &waiting];
    assert_eq!(Op::wait_any(&ops, NOW).unwrap(), None);
    assert_eq!(
        Op::wait_any(&ops, Some(Duration::from_millis(5))).unwrap(),
        None
    );
    std::thread::scope(|scope| {
        scope.spawn(|| give.send(()));
        assert_eq!(Op::wait_any(&ops, PATIENCE).unwrap(), Some(1));
    });
    pending.cancel();
    pending.wait(PATIENCE).unwrap();
    assert_eq!(Op::wait_any(&ops, None).unwrap(), Some(0));
    let none = Op::wait_any(&[], None).unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
}
