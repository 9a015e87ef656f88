// SPDX-License-Identifier: Apache-2.0
import type { Uptime } from './uptime.ts';

// What is said of what was kept for a restart without an API server, and whether it may be used. Pure.

/** Version of the format: what is of another is not read. */
const FORMAT = 1;
/** So far ahead of us the clock may have been that wrote the time. */
const AHEAD_MS = 60_000;
const TEXTS = ['program', 'place', 'cluster', 'seenAt', 'body', 'digest'] as const;

/** Who keeps, and for whom: what is of another is not used. */
export interface Keeper {
  /** Version of the program. */
  readonly program: string;
  /** Digest of where the API server is, who vouches for it, and of the namespace of the platform. */
  readonly place: string;
}

/** What is said of a file with what every watch held. */
export interface Manifest extends Keeper, Partial<Uptime> {
  readonly format: number;
  /** UID of the namespace kube-system, by which clusters are told apart. */
  readonly cluster: string;
  /** When the API server vouched last for all of it: how long the machine had run by then is told beside it, where that is known. */
  readonly seenAt: string;
  /** Name of the file. */
  readonly body: string;
  /** SHA-256 of it, in hexadecimal. */
  readonly digest: string;
}

/** What it may be used for. */
export interface Use extends Keeper {
  readonly now: Date;
  /** What is older is not used; 0: nothing is. */
  readonly maxAgeMs: number;
}

/** A manifest of a state that the API server vouched for at `seenAt`. */
export function manifestOf(
  { program, place }: Keeper,
  what: Pick<Manifest, 'cluster' | 'seenAt' | 'body' | 'digest' | 'boot' | 'upMs'>,
): Manifest {
  return { ...what, format: FORMAT, program, place };
}

/** The manifest that a text is; undefined where it is none. */
export function readManifest(text: string): Manifest | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null) return undefined;
  const fields = read as Readonly<Record<string, unknown>>;
  const isWhole =
    typeof fields['format'] === 'number' && TEXTS.every((one) => typeof fields[one] === 'string');
  return isWhole ? (read as Manifest) : undefined;
}

/** Why what was kept is not used, for people; undefined where it may be. */
export function whyNot(manifest: Manifest, { now, maxAgeMs, program, place }: Use): string | undefined {
  const { format } = manifest;
  if (format !== FORMAT) return `it is of format ${format}, not ${FORMAT}`;
  if (manifest.program !== program) return `it was kept by version ${manifest.program}, not ${program}`;
  if (manifest.place !== place) return 'it is of another API server, or of another platform namespace';
  return whyNotNow(manifest, { now, maxAgeMs });
}

/**
 * How old it is, in milliseconds: by the clock of the day, but never less than the machine has run since, unless that was started anew. That clock may be
 * behind, and nobody is there to say so.
 */
export function ageMsOf(
  { seenAt, boot, upMs }: Pick<Manifest, 'seenAt' | 'boot' | 'upMs'>,
  now: Date,
  uptime: Uptime | undefined,
): number {
  const byClockMs = now.getTime() - Date.parse(seenAt);
  if (uptime === undefined || uptime.boot !== boot || typeof upMs !== 'number') return byClockMs;
  return Math.max(byClockMs, uptime.upMs - upMs);
}

/** Why what was seen at a time is not used any more, or not yet. */
export function whyNotNow(
  { seenAt }: Pick<Manifest, 'seenAt'>,
  { now, maxAgeMs }: Pick<Use, 'now' | 'maxAgeMs'>,
): string | undefined {
  const ageMs = now.getTime() - Date.parse(seenAt);
  if (Number.isNaN(ageMs)) return `${seenAt} is no time`;
  if (ageMs < -AHEAD_MS) return `it is of ${seenAt}, which is still to come`;
  if (ageMs > maxAgeMs) return `it is of ${seenAt}, which is more than ${maxAgeMs / 1000} s ago`;
  return undefined;
}
