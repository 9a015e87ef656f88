// SPDX-License-Identifier: Apache-2.0
import type { MetricFactory } from '#operator/telemetry/metric';

const OUTCOMES = ['allowed', 'refused', 'timeout', 'overloaded', 'malformed', 'failed'] as const;
/** Seconds, from a fifth of a millisecond to what the API server waits. */
const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How a request was answered. */
export type AdmissionOutcome = (typeof OUTCOMES)[number];

/** What the admission process counts. */
export type AdmissionMetrics = ReturnType<typeof admissionMetrics>;

/** What is under way in a server. It changes with each request, so it is asked for when somebody reads. */
export interface AdmissionLoad {
  readonly inFlight: number;
  /** Bytes of bodies. */
  readonly heldBytes: number;
}

const nothing = (): AdmissionLoad => ({ inFlight: 0, heldBytes: 0 });

/** Declares the metrics of the admission process. */
export function admissionMetrics(factory: MetricFactory) {
  let loadNow = nothing;
  return {
    /** From now on figures of what is under way are those that `load` tells. */
    readLoadFrom(load: () => AdmissionLoad): void {
      loadNow = load;
    },
    requestsTotal: factory.counter({
      name: 'nexusos_admission_requests_total',
      help: 'Reviews that the API server asked for, by how they were answered.',
      labels: { outcome: OUTCOMES },
    }),
    seconds: factory.histogram(
      {
        name: 'nexusos_admission_seconds',
        help: 'Time from the first byte of a review to its answer.',
        labels: {},
      },
      BUCKETS,
    ),
    inFlight: factory.gauge(
      {
        name: 'nexusos_admission_in_flight',
        help: 'Reviews that are being worked on.',
        labels: {},
      },
      () => loadNow().inFlight,
    ),
    heldBytes: factory.gauge(
      {
        name: 'nexusos_admission_held_bytes',
        help: 'Bytes of bodies that are being read, or worked on.',
        labels: {},
      },
      () => loadNow().heldBytes,
    ),
    connectionsRefusedTotal: factory.counter({
      name: 'nexusos_admission_connections_refused_total',
      help: 'Connections that were closed since there are too many: at once, of one peer or of all, or cut to make room for a peer that has fewer.',
      labels: { why: ['peer', 'all', 'cut'] },
    }),
    handshakesFailedTotal: factory.counter({
      name: 'nexusos_admission_tls_handshakes_failed_total',
      help: 'Connections that came to nothing: clients that do not trust the certificate that is served, or that show none where one is asked for.',
      labels: {},
    }),
    ...standingMetrics(factory),
  };
}

/** What a replica goes by, and what it serves with. */
function standingMetrics(factory: MetricFactory) {
  return {
    certificateExpiry: factory.gauge({
      name: 'nexusos_admission_certificate_expiry_timestamp_seconds',
      help: 'When the certificate that is served expires, in seconds since 1970.',
      labels: {},
    }),
    lastKnownAge: factory.gauge({
      name: 'nexusos_admission_last_known_age_seconds',
      help: 'How old that is which a replica decides by that began without an API server; 0 for what the API server tells.',
      labels: {},
    }),
    keptTimestamp: factory.gauge({
      name: 'nexusos_admission_kept_timestamp_seconds',
      help: 'Of which time that is which is kept for a restart without an API server, in seconds since 1970; 0: nothing was kept yet.',
      labels: {},
    }),
    certificateTrusted: factory.gauge({
      name: 'nexusos_admission_certificate_trusted',
      help: 'Whether the API server is told to trust the certificate that is served: 1 or 0.',
      labels: {},
    }),
  };
}
