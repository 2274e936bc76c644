//! Other calls while functions of the host block.

use super::*;

/// Each function of the host blocks as many times as the runtime has threads. Other calls, their
/// deadlines and cancellations still work, and a shutdown ends within its limit.
#[test]
fn one_that_blocks_holds_up_nothing() {
    for function in ALL {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let gate = Gate::default();
        let held: Vec<_> = (0..3)
            .map(|_| {
                let gate = gate.clone();
                function.provoke(&emulator, move || gate.pass())
            })
            .collect();
        // Readers and releases have two threads.
        within(&format!("{function:?} is not called"), || gate.come() >= 2);

        let other = builder(&emulator).build().unwrap();
        let limited = builder(&emulator)
            .timeout(Duration::from_secs(1))
            .build()
            .unwrap();
        for _ in 0..5 {
            call(&other).unwrap();
        }
        emulator.inject(Fault::hang().path("/emulator/echo/hang").always());
        let began = Instant::now();
        let hanging = start(&limited, "emulator/echo/hang");
        assert!(
            hanging.wait(Some(PATIENCE)).unwrap(),
            "{function:?} delays a deadline"
        );
        assert_eq!(hanging.take().unwrap().unwrap_err().code(), Code::Deadline);
        let cancelled = start(&other, "emulator/echo/hang");
        cancelled.cancel();
        assert!(
            cancelled.wait(Some(PATIENCE)).unwrap(),
            "{function:?} delays a cancellation"
        );
        assert_eq!(
            cancelled.take().unwrap().unwrap_err().code(),
            Code::Cancelled
        );
        // The operations to which the functions belong can be cancelled, too.
        held.iter().for_each(|(op, _)| op.cancel());
        for (op, _) in &held {
            assert!(
                op.wait(Some(PATIENCE)).unwrap(),
                "{function:?} delays the cancellation of its own call"
            );
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{function:?}: {:?}",
            began.elapsed()
        );

        let began = Instant::now();
        let error = runtime::shutdown(Duration::from_millis(500)).unwrap_err();
        assert_eq!(error.code(), Code::Deadline, "{function:?}: {error}");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{function:?}: {:?}",
            began.elapsed()
        );
        // The runtime starts again meanwhile.
        call(&other).unwrap();
        gate.open();
        drop(held);
        runtime::shutdown(PATIENCE).unwrap();
        threads::assert_none_left();
    }
}

/// A shutdown without a limit waits for the host's function, and one with a limit ends at the
/// limit.
#[test]
fn a_shutdown_without_a_limit_waits_and_one_with_a_limit_does_not() {
    for function in ALL {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let gate = Gate::default();
        let held = {
            let gate = gate.clone();
            function.provoke(&emulator, move || gate.pass())
        };
        within("it is not called", || gate.come() > 0);
        let waiting = std::thread::spawn(|| runtime::shutdown(None));
        for _ in 0..2 {
            let began = Instant::now();
            let error = runtime::shutdown(Duration::from_millis(300)).unwrap_err();
            assert_eq!(error.code(), Code::Deadline, "{function:?}: {error}");
            assert!(began.elapsed() < Duration::from_secs(5), "{function:?}");
            assert!(!waiting.is_finished(), "{function:?}");
        }
        gate.open();
        waiting.join().unwrap().unwrap();
        drop(held);
        runtime::shutdown(PATIENCE).unwrap();
        threads::assert_none_left();
    }
}

#[test]
fn one_that_panics_harms_nobody() {
    for function in ALL {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let (op, held) = function.provoke(&emulator, || {
            std::panic::resume_unwind(Box::new("of the host's own making"))
        });
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let outcome = op.take().unwrap().map_err(|error| error.code());
        match function {
            Function::Log | Function::Wake | Function::Release => {
                assert!(outcome.is_ok(), "{function:?}: {outcome:?}")
            }
            Function::Question => assert_eq!(outcome.unwrap_err(), Code::CredentialsFailed),
            Function::Reader => assert_eq!(outcome.unwrap_err(), Code::Panic),
        }
        drop(held);
        call(&builder(&emulator).build().unwrap()).unwrap();
        runtime::shutdown(PATIENCE).unwrap();
        threads::assert_none_left();
    }
}

/// A log function and the callbacks of a dispatcher that is no longer run are dropped with their
/// operation, on its thread.
#[test]
fn what_the_host_gave_ends_on_a_thread_of_its_own() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let gate = Gate::default();
    for _ in 0..2 {
        let (logged, called) = (Ends(gate.clone()), Ends(gate.clone()));
        let client = builder(&emulator)
            .log(Level::Debug, move |_, _, _| assert_eq!(logged.0.come(), 0))
            .build()
            .unwrap();
        let op = start(&client, "emulator/slow");
        drop(client);
        let dispatcher = Dispatcher::new();
        let borrow = move |_| assert_eq!(called.0.come(), 0);
        dispatcher.when_event(&op, borrow).unwrap();
    }
    within("nothing ends", || gate.come() >= 2);
    call(&builder(&emulator).build().unwrap()).unwrap();
    assert_eq!(
        runtime::shutdown(Duration::from_millis(300))
            .unwrap_err()
            .code(),
        Code::Deadline
    );
    gate.open();
    runtime::shutdown(PATIENCE).unwrap();
}

/// A function that asks the user does not delay the other questions to the host.
#[test]
fn many_questions_are_asked_at_once() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let gate = Gate::default();
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let gate = gate.clone();
            Function::Question.provoke(&emulator, move || gate.pass())
        })
        .collect();
    within("a question waits", || gate.come() == 20);
    gate.open();
    for (op, _) in asking {
        assert!(op.wait(Some(PATIENCE)).unwrap());
        op.take().unwrap().unwrap();
    }
}

#[test]
fn a_question_may_use_another_client_and_not_shut_down() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let other = builder(&emulator).build().unwrap();
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let told = outcomes.clone();
    let (op, _held) = Function::Question.provoke(&emulator, move || {
        let own = call(&other).map(drop).map_err(|error| error.code());
        let end = runtime::shutdown(PATIENCE).map_err(|error| error.code());
        told.lock().unwrap().extend([own, end]);
    });
    assert!(op.wait(Some(PATIENCE)).unwrap());
    op.take().unwrap().unwrap();
    assert_eq!(
        *outcomes.lock().unwrap(),
        [Ok(()), Err(Code::WouldDeadlock)]
    );
}
