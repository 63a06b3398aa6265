//! What the log relies on, asked of a server: on streams made for it, never on that of the log.
//!
//! The server that tests are run against was written from the same protocol as the client is used by. What it cannot know
//! about real ones, this finds out.

use std::time::Duration;

use store::{Engine as _, EngineError, EngineEvent, Position};
use uuid::Uuid;

use crate::check::{Check, Outcome};
use crate::client::database::{AppendToStreamOptions, Error, StreamMetadata};
use crate::client::{Meaning, delete, meaning, tombstone};
use crate::engine::KurrentEngine;
use crate::error::ConnectError;

/// How the streams of the checks begin.
const STREAMS: &str = "muniment_check-";

/// Each call that is not the engine's own has this long.
const WITHIN: Duration = Duration::from_secs(10);

/// Why a check did not find what it expected.
enum Failed {
    NotAllowed,
    Otherwise(String),
}

type Found = Result<(), Failed>;

/// Asks a server for everything that the log relies on. `run` names the streams that are made for it; they stay there.
///
/// # Errors
/// When the connection string cannot be used. A server that does not answer fails the first check, and hears no other.
pub fn check_server(url: &str, run: Uuid, report: &mut dyn FnMut(Check)) -> Result<(), ConnectError> {
    type Run = fn(&KurrentEngine, &str) -> Found;
    let checks: [(&str, &'static str, Run); 11] = [
        ("new", "a new stream is begun, and goes on", new_stream),
        ("stale", "a stale revision is refused", stale_revision),
        ("again", "the same events are appended once", same_again),
        ("content", "events are told apart by their ids alone", same_ids_other_content),
        ("overlap", "an append that overlaps with what is there is refused", partial_overlap),
        ("past", "a read past the end is empty", read_past_end),
        ("large", "an append is as large as is allowed, and no larger", large_append),
        ("pages", "a stream of many pages is read to its end", many_pages),
        ("truncated", "a truncated stream is not taken for a whole one", truncated),
        ("deleted", "a deleted stream is not taken for a new one", soft_deleted),
        ("tombstoned", "a stream that was deleted for good is not taken for a new one", tombstoned),
    ];
    for (stream, name, check) in checks {
        let stream = format!("{STREAMS}{stream}-{run}");
        let outcome = match check(&KurrentEngine::new(url, &stream)?, &stream) {
            Ok(()) => Outcome::AsExpected,
            Err(Failed::NotAllowed) => Outcome::NotAllowed,
            Err(Failed::Otherwise(detail)) => Outcome::Otherwise(detail),
        };
        // Of a server that begins no stream, the others would say the same, each after its time.
        let is_over =
            stream.starts_with(&format!("{STREAMS}new")) && matches!(outcome, Outcome::Otherwise(_));
        report(Check { name, outcome });
        if is_over {
            break;
        }
    }
    Ok(())
}

/// An entry of a log that is none: `number` makes it different from others, `padding` longer.
fn event(position: u64, number: u64, padding: usize) -> EngineEvent {
    let (id, data) = (Uuid::from_u128(number.into()), "x".repeat(padding));
    let entry = format!(
        "{{\"actor\":{{\"id\":\"check\",\"kind\":\"system\"}},\"at\":\"2026-01-01T00:00:00.000000Z\",\
         \"command_id\":\"{id}\",\"correlation_id\":\"{id}\",\"data\":{{\"x\":\"{data}\"}},\"id\":\"{id}\",\
         \"outcome\":\"done\",\"request_id\":\"check\",\"revision\":{position},\
         \"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"stream\":\"check-1\",\"type\":\"check.made\",\"v\":1}}"
    );
    EngineEvent::new(Position::new(position), entry.into_bytes())
}

fn events(positions: std::ops::RangeInclusive<u64>, number: u64) -> Vec<EngineEvent> {
    positions.map(|position| event(position, number, 0)).collect()
}

fn otherwise(detail: impl Into<String>) -> Failed {
    Failed::Otherwise(detail.into())
}

fn done<T>(what: &str, outcome: Result<T, EngineError>) -> Result<T, Failed> {
    outcome.map_err(|error| otherwise(format!("{what}: {error}: {error:?}")))
}

fn expect(holds: bool, detail: impl Into<String>) -> Found {
    if holds { Ok(()) } else { Err(otherwise(detail)) }
}

fn expect_head(log: &KurrentEngine, expected: u64) -> Found {
    let head = done("reading the head", log.head())?;
    expect(head == Position::new(expected), format!("the head is {head}, not {expected}"))
}

fn begun(log: &KurrentEngine) -> Result<Vec<EngineEvent>, Failed> {
    let first = events(1..=3, 1);
    done("beginning the stream", log.append(Position::ORIGIN, &first))?;
    Ok(first)
}

fn new_stream(log: &KurrentEngine, _: &str) -> Found {
    expect_head(log, 0)?;
    let mut all = begun(log)?;
    expect_head(log, 3)?;
    let next = events(4..=4, 2);
    done("going on", log.append(Position::new(3), &next))?;
    all.extend(next);
    let read = done("reading it", log.read(Position::ORIGIN, 100))?;
    expect(read == all, "what was read is not what was appended")
}

fn stale_revision(log: &KurrentEngine, _: &str) -> Found {
    begun(log)?;
    for (after, number) in [(0, 7), (1, 8), (2, 9), (4, 10)] {
        let appended = log.append(Position::new(after), &events(after + 1..=after + 1, number));
        let refused = matches!(appended, Err(EngineError::Moved));
        expect(refused, format!("appending behind {after} of 3: {appended:?}"))?;
    }
    expect_head(log, 3)
}

fn same_again(log: &KurrentEngine, _: &str) -> Found {
    let first = begun(log)?;
    done("the same again", log.append(Position::ORIGIN, &first))?;
    done("going on", log.append(Position::new(3), &events(4..=4, 2)))?;
    done("the same again, later", log.append(Position::ORIGIN, &first))?;
    done("a part of it", log.append(Position::new(1), &first[1..]))?;
    expect_head(log, 4)
}

/// If this were otherwise, no harm: but ids could then be made of less.
fn same_ids_other_content(log: &KurrentEngine, _: &str) -> Found {
    let first = begun(log)?;
    let other: Vec<EngineEvent> = first
        .iter()
        .zip(events(1..=3, 5))
        .map(|(event, other)| EngineEvent { id: event.id, entry: other.entry })
        .collect();
    done("the same ids", log.append(Position::ORIGIN, &other))?;
    let read = done("reading", log.read(Position::ORIGIN, 100))?;
    expect(read == first, "what was there was changed")
}

fn partial_overlap(log: &KurrentEngine, _: &str) -> Found {
    let mut overlapping = begun(log)?;
    overlapping.push(event(4, 4, 0));
    for (after, part) in [(0, &overlapping[..]), (2, &overlapping[2..])] {
        let appended = log.append(Position::new(after), part);
        expect(appended.is_err(), format!("appending behind {after}: {appended:?}"))?;
    }
    expect_head(log, 3)
}

fn read_past_end(log: &KurrentEngine, _: &str) -> Found {
    let nothing = done("reading a stream that is not there", log.read(Position::ORIGIN, 10))?;
    expect(nothing.is_empty(), "there is something")?;
    begun(log)?;
    for after in [3, 4, 100] {
        let past = done("reading past the end", log.read(Position::new(after), 10))?;
        expect(past.is_empty(), format!("there is something behind {after}"))?;
    }
    Ok(())
}

fn large_append(log: &KurrentEngine, _: &str) -> Found {
    const PADDING: usize = 60_000;
    let mut largest = Vec::new();
    let mut bytes = 0;
    for position in 1.. {
        let event = event(position, position, PADDING);
        bytes += event.bytes();
        if bytes > log.max_append_bytes() {
            break;
        }
        largest.push(event);
    }
    done("an append as large as the log makes them", log.append(Position::ORIGIN, &largest))?;
    let head = largest.len() as u64;
    let too_large: Vec<EngineEvent> =
        (head + 1..=2 * head + 2).map(|position| event(position, position, PADDING)).collect();
    let appended = log.append(Position::new(head), &too_large);
    let refused = matches!(appended, Err(EngineError::Refused(_)));
    expect(refused, format!("twice as much was not refused: {appended:?}"))?;
    expect_head(log, head)
}

fn many_pages(log: &KurrentEngine, _: &str) -> Found {
    const EVENTS: u64 = 1_500;
    let all = events(1..=EVENTS, 1);
    for (index, page) in all.chunks(500).enumerate() {
        done("appending", log.append(Position::new(500 * index as u64), page))?;
    }
    for limit in [499, 500, 1_499, 1_500, 1_501] {
        let read = done("reading", log.read(Position::ORIGIN, limit))?;
        let expected = &all[..limit.min(all.len())];
        expect(read == expected, format!("of {EVENTS} events, {} were read at once of {limit}", read.len()))?;
    }
    Ok(())
}

/// Does with the client what the engine never does.
fn allowed<T>(outcome: Result<T, Error>) -> Found {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if matches!(meaning(&error), Meaning::Refused) => Err(Failed::NotAllowed),
        Err(error) => Err(otherwise(error.to_string())),
    }
}

fn expect_noticed(log: &KurrentEngine) -> Found {
    let read = log.read(Position::ORIGIN, 100);
    let noticed = match &read {
        Ok(events) => events.is_empty(),
        Err(error) => matches!(error, EngineError::Corrupt { .. }),
    };
    expect(noticed, format!("it was read as {read:?}"))
}

fn truncated(log: &KurrentEngine, stream: &str) -> Found {
    begun(log)?;
    let metadata = StreamMetadata::builder().truncate_before(2).build();
    let stream = stream.to_owned();
    allowed(log.connection().call(WITHIN, |client| async move {
        client.set_stream_metadata(stream, &AppendToStreamOptions::default(), &metadata).await
    }))?;
    let read = log.read(Position::ORIGIN, 100);
    expect(matches!(read, Err(EngineError::Corrupt { .. })), format!("it was read as {read:?}"))?;
    expect_head(log, 3)
}

fn soft_deleted(log: &KurrentEngine, stream: &str) -> Found {
    begun(log)?;
    let stream = stream.to_owned();
    allowed(
        log.connection().call(WITHIN, |client| async move { client.delete_stream(stream, &delete()).await }),
    )?;
    expect_noticed(log)?;
    let appended = log.append(Position::ORIGIN, &events(1..=1, 9));
    expect(appended.is_err(), "it was begun anew")
}

fn tombstoned(log: &KurrentEngine, stream: &str) -> Found {
    begun(log)?;
    let stream = stream.to_owned();
    allowed(
        log.connection()
            .call(WITHIN, |client| async move { client.tombstone_stream(stream, &tombstone()).await }),
    )?;
    expect_noticed(log)?;
    let appended = log.append(Position::new(3), &events(4..=4, 9));
    let deleted = matches!(appended, Err(EngineError::Corrupt { .. } | EngineError::Moved));
    expect(deleted, format!("appending to it: {appended:?}"))
}
