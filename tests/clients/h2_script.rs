//! Scripted HTTP/2 connections: streams by the `h2` crate, and single frames by hand.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{Request, Response};
use tokio::net::TcpStream;

use crate::support::raw::Peer;

/// An empty SETTINGS frame, with which a server begins.
pub(crate) const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A HEADERS frame that answers stream 1 with 200 and ends it.
pub(crate) const OK_ON_STREAM_1: [u8; 10] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

/// A GOAWAY frame without an error (RFC 9113 section 6.8).
pub(crate) fn goaway(last_id: u8) -> [u8; 17] {
    [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_id, 0, 0, 0, 0]
}

/// The bodies of the requests that were acted on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Executions(Arc<Mutex<Vec<String>>>);

impl Executions {
    pub(crate) fn note(&self, body: &str) {
        self.0.lock().unwrap().push(body.to_owned());
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        let mut bodies = self.0.lock().unwrap().clone();
        bodies.sort();
        bodies
    }
}

/// What a server does with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It resets it before it has looked at the body.
    Refuse(Reason),
    /// It acts on the request and then resets the stream.
    Break(Reason),
    /// It acts on the request and answers with this status.
    Answer(u16),
}

/// Serves a connection whose streams meet the fates in turn, and the last one from then on.
pub(crate) async fn serve(peer: Peer, fates: &[Fate], executions: &Executions) {
    let mut connection: Connection<TcpStream, Bytes> = h2::server::handshake(peer.stream).await.unwrap();
    let mut turn = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let fate = fates[turn.min(fates.len() - 1)];
        turn += 1;
        if let Fate::Refuse(reason) = fate {
            respond.send_reset(reason);
            continue;
        }
        let Some(body) = read(&mut connection, request).await else { return };
        executions.note(&body);
        match fate {
            Fate::Break(reason) => respond.send_reset(reason),
            Fate::Answer(status) => answer(&mut respond, status),
            Fate::Refuse(_) => unreachable!(),
        }
    }
}

/// Answers with a short body.
pub(crate) fn answer(respond: &mut SendResponse<Bytes>, status: u16) {
    let head = Response::builder().status(status).header("retry-after", "0").body(()).unwrap();
    respond.send_response(head, false).unwrap().send_data(Bytes::from_static(b"done"), true).unwrap();
}

/// Reads a request's body while the connection runs on.
pub(crate) async fn read(
    connection: &mut Connection<TcpStream, Bytes>,
    request: Request<h2::RecvStream>,
) -> Option<String> {
    let mut body = request.into_body();
    let mut read = Vec::new();
    let reading = async {
        while let Some(data) = body.data().await {
            let data = data.ok()?;
            let _ = body.flow_control().release_capacity(data.len());
            read.extend_from_slice(&data);
        }
        Some(String::from_utf8(read).unwrap())
    };
    tokio::select! {
        body = reading => body,
        _ = std::future::poll_fn(|cx| connection.poll_closed(cx)) => None,
    }
}
