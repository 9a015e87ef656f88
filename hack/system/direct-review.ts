// SPDX-License-Identifier: Apache-2.0
import { Agent, type Dispatcher, request } from 'undici';

/** An admission process of this machine, asked past the API server and the Service, and connections to it. */
export interface Asked {
  readonly dispatcher: Dispatcher;
  readonly port: number;
}

/** An object that somebody is to make in a namespace. */
interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** What is asked about. */
export interface Creation {
  readonly object: Made;
  /** Of its kind, as paths of the API have it. */
  readonly plural: string;
  /** Default: no. */
  readonly dryRun?: boolean;
}

/**
 * Connections to a process, whoever it says it is: who answers at a port of this machine is known, and certificates are tried by the API server.
 * `connections`: how many at the most; default: as many as there are questions at a time.
 */
export function dispatcherToAnybody(connections?: number): Dispatcher {
  const most = connections === undefined ? {} : { connections };
  return new Agent({ ...most, allowH2: false, connect: { rejectUnauthorized: false } });
}

/** What an admission process answers, as it is sent. */
export async function answerTo({ dispatcher, port }: Asked, review: string): Promise<string> {
  const { body } = await request(`https://127.0.0.1:${port}/validate?timeout=3s`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: review,
  });
  return body.text();
}

/** Whether an answer is that the object may be made. */
export function isAllowed(answer: string): boolean {
  return answer.includes('"allowed":true');
}

/** What the API server sends about an object that jane makes. */
export function reviewOf({ object, plural, dryRun = false }: Creation): string {
  const { apiVersion, kind, metadata } = object;
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '5f2a9c01-d3aa-4b1e-9a44-0123456789ab',
      kind: { group, version, kind },
      resource: { group, version, resource: plural },
      name: metadata.name,
      namespace: metadata.namespace,
      operation: 'CREATE',
      dryRun,
      userInfo: { username: 'jane', groups: ['system:authenticated'] },
      object,
    },
  });
}
