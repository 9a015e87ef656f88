// SPDX-License-Identifier: Apache-2.0
import { type Asked, answerTo, isAllowed, reviewOf } from '../system/direct-review.ts';

/** Whose Service it is about, and whether its labels and size are what rules that do harm look for. */
export interface Subject {
  readonly namespace: string;
  readonly isBad: boolean;
}

/** Whether a Service may be made. */
export async function mayMake(asked: Asked, subject: Subject): Promise<boolean> {
  return isAllowed(await answerTo(asked, reviewOf({ object: serviceOf(subject), plural: 'services' })));
}

function serviceOf({ namespace, isBad }: Subject) {
  const annotations = { long: 'a'.repeat(isBad ? 20_000 : 20) };
  const metadata = { name: 'web', namespace, annotations, labels: isBad ? { bad: 'yes' } : {} };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
}
