// SPDX-License-Identifier: Apache-2.0
import { Agent, type Dispatcher, request } from 'undici';

/** One admission process, and connections to it. */
export interface Asked {
  readonly dispatcher: Dispatcher;
  readonly port: number;
}

/** Whose Service it is about, and whether its labels and size are what rules that do harm look for. */
export interface Subject {
  readonly namespace: string;
  readonly isBad: boolean;
}

/** Connections to a process, whoever it says it is. */
export function dispatcherToAnybody(): Dispatcher {
  return new Agent({ allowH2: false, connect: { rejectUnauthorized: false } });
}

/** Whether a Service may be made. */
export async function mayMake({ dispatcher, port }: Asked, subject: Subject): Promise<boolean> {
  const answer = await request(`https://127.0.0.1:${port}/validate?timeout=3s`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(reviewOf(subject)),
  });
  const text = await answer.body.text();
  return text.includes('"allowed":true');
}

function reviewOf({ namespace, isBad }: Subject): object {
  const annotations = { long: 'a'.repeat(isBad ? 20_000 : 20) };
  const metadata = { name: 'web', namespace, annotations, labels: isBad ? { bad: 'yes' } : {} };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '5f2a9c01-d3aa-4b1e-9a44-0123456789ab',
      kind: { group: '', version: 'v1', kind: 'Service' },
      resource: { group: '', version: 'v1', resource: 'services' },
      name: 'web',
      namespace,
      operation: 'CREATE',
      userInfo: { username: 'jane', groups: ['system:authenticated'] },
      object: { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } },
    },
  };
}
