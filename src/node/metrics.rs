//! Figures for whoever runs a node for others, in the text format of Prometheus. No peer IDs, no names, no addresses.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::core::Core;
use super::errors;
use crate::api::{ApiError, Code};
use crate::base::shown::MailboxService;
use crate::base::words::Reachability;
use crate::messenger::query;
use crate::messenger::query::Counts;
use crate::net::{NetHandle, NetStatus};

/// The format of the answer.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections that are served at once: one collector needs one.
const CONNECTIONS: usize = 8;
/// How long a question may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Binds the address where figures are served.
pub(super) async fn bind(addr: SocketAddr) -> Result<TcpListener, ApiError> {
    let listener = TcpListener::bind(addr).await.map_err(|error| {
        ApiError::new(Code::Network, format!("figures cannot be served at {addr}: {error}"))
            .with_hint("give another address with `--metrics`, or end the program that has this one")
    })?;
    if !addr.ip().is_loopback() {
        tracing::warn!(%addr, "figures of this node are served to everybody who reaches this address");
    }
    tracing::info!(addr = %listener.local_addr().unwrap_or(addr), "figures are served at /metrics");
    Ok(listener)
}

/// Serves until the node stops.
pub(super) async fn serve(listener: TcpListener, source: Source, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a collector could not be taken");
                // Out of files, most likely: that it passes is told by nobody.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (source, mut stop) = (source.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = answer(stream, &source) => {}
            }
            drop(place);
        });
    }
}

/// Serves one connection to its end.
async fn answer(stream: TcpStream, source: &Source) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(respond(request.method(), request.uri().path(), source).await)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(8 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a collector left");
    }
}

async fn respond(method: &Method, path: &str, source: &Source) -> Response<Full<Bytes>> {
    let (status, text) = match (method, path) {
        (&Method::GET, "/metrics") => match source.text().await {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.message),
        },
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, "figures are at /metrics\n".to_owned()),
    };
    let format = if status == StatusCode::OK { FORMAT } else { "text/plain; charset=utf-8" };
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, format);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response = response.header(ALLOW, "GET");
    }
    response.body(Full::new(Bytes::from(text))).unwrap_or_default()
}

/// Who knows the figures.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) core: Core,
    pub(super) net: NetHandle,
}

impl Source {
    async fn text(&self) -> Result<String, ApiError> {
        let (counts, mail) = self
            .core
            .read(|reader, me| {
                let counts = query::counts(reader, me, Clock::wall())?;
                Ok((counts, query::mailbox(reader)?))
            })
            .await?;
        write(Figures { outbox: self.core.waiting(), counts, mail, net: self.net.status() })
            .map_err(|e| errors::internal(format!("figures cannot be written: {e}")))
    }
}

/// What is known at one moment.
#[derive(Debug)]
struct Figures {
    outbox: u64,
    counts: Counts,
    mail: MailboxService,
    net: NetStatus,
}

fn write(figures: Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Figures {
    /// Name, help, value.
    fn gauges(&self) -> Vec<(&'static str, &'static str, u64)> {
        let Self { outbox, counts, mail, net } = self;
        let count = |n: usize| n as u64;
        let relayed = net.peers.iter().filter(|peer| !peer.direct).count();
        let mut gauges = vec![
            ("peers", "Connected peers", count(net.peers.len())),
            ("peers_relayed", "Connected peers whose preferred connection goes through a relay", count(relayed)),
            ("reachable", "Whether others can dial this node: 1 yes, 0 no or not known", {
                u64::from(net.reachability == Reachability::Public)
            }),
            ("relays", "Relays through which this node can be reached", count(net.relays.len())),
            ("dht_server", "Whether this node keeps cards for the DHT", u64::from(net.dht.server)),
            ("dht_peers", "Peers in the routing table of the DHT", net.dht.peers),
            ("dht_records", "Cards that this node keeps for the DHT", net.dht.records),
            ("mailbox_boxes", "Boxes that this node keeps for others", mail.boxes),
            ("mailbox_bytes", "Bytes of envelopes in them", mail.bytes),
            ("outbox", "Own messages that are not delivered yet", *outbox),
            ("requests", "Pending requests", counts.requests),
        ];
        if let Some(relay) = &net.relay_service {
            gauges.push(("relay_reservations", "Peers who can be reached through this node", relay.reservations));
            gauges.push(("relay_circuits", "Circuits that stand", relay.circuits));
        }
        gauges
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in self.gauges() {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let name = format!("rohrpost_{name}");
            let place = encoder.encode_descriptor(&name, help, None, gauge.metric_type())?;
            gauge.encode(place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::shown::Connection;
    use crate::base::words::RelayService;
    use crate::base::words::ServeMailbox;
    use crate::base::{PeerId, WallTime};

    #[test]
    fn figures_name_nobody() {
        let peer_id = PeerId::from_key_bytes([7; 32]);
        let addr = "/ip4/192.0.2.7/tcp/4001".to_owned();
        let relayed =
            Connection { peer_id, name: String::new(), addr: addr.clone(), direct: false, since: WallTime(1) };
        let net = NetStatus {
            listen_addrs: vec![addr],
            peers: vec![relayed],
            relay_service: Some(RelayService { reservations: 3, circuits: 1 }),
            ..NetStatus::default()
        };
        let mail = MailboxService { serves: ServeMailbox::Off, boxes: 5, bytes: 77 };
        let text = write(Figures { outbox: 0, counts: Counts::default(), mail, net }).unwrap();
        for line in [
            "# TYPE rohrpost_peers gauge",
            "rohrpost_peers 1",
            "rohrpost_peers_relayed 1",
            "rohrpost_mailbox_boxes 5",
            "rohrpost_mailbox_bytes 77",
            "rohrpost_relay_reservations 3",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(!text.contains(&peer_id.to_string()) && !text.contains("192.0.2.7"), "{text}");
    }
}
