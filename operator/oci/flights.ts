// SPDX-License-Identifier: Apache-2.0
import { type Answer, broken } from '../core/oci/answer.ts';
import { TimeLimit } from './time-limit.ts';

/** What is being found out: those who ask the same at the same time are told the same, and it is asked once. */
export class Flights {
  readonly #timeoutMs: number;
  readonly #flights = new Map<string, Promise<Answer<unknown>>>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Joins a question, or begins it. It has a time of its own: who leaves does not end it for others. Two keys never mean one answer. */
  join<T>(
    key: string,
    signal: AbortSignal | undefined,
    ask: (signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const flight = (this.#flights.get(key) as Promise<Answer<T>> | undefined) ?? this.#begin(key, ask);
    return signal === undefined ? flight : orEnded(flight, signal);
  }

  #begin<T>(key: string, ask: (signal: AbortSignal) => Promise<Answer<T>>): Promise<Answer<T>> {
    const limit = new TimeLimit(this.#timeoutMs);
    const flight = ask(limit.signal)
      .catch((error: unknown) => broken(`the answer could not be read: ${(error as Error).name}`))
      .finally(() => {
        limit.end();
        this.#flights.delete(key);
      });
    this.#flights.set(key, flight);
    return flight;
  }
}

/** The answer, unless somebody no longer waits for it. */
function orEnded<T>(flight: Promise<Answer<T>>, signal: AbortSignal): Promise<Answer<T>> {
  return new Promise((resolve) => {
    const end = (): void =>
      resolve({ kind: 'unreachable', message: 'there was no time to wait for the answer' });
    if (signal.aborted) return end();
    signal.addEventListener('abort', end, { once: true });
    void flight.then(resolve).finally(() => signal.removeEventListener('abort', end));
  });
}
