// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, issue } from '../cluster/certificates.ts';
import type { Announcement } from './other-webhook.ts';

// A program of the measurements: it tells where it serves as somebody else's would.

/** What it reads of a review is who it is about, and whether there are annotations: with none it refuses, so that it is seen to be asked. */
const UID = /"uid":"([0-9a-f-]+)"/;
const ANNOTATED = '"annotations":';
/** Without a code the API server takes a refusal for a request that is malformed (400). */
const REFUSED = '"allowed":false,"status":{"code":403,"message":"no annotations"}';

const folder = await mkdtemp(join(tmpdir(), 'nexusos-empty-'));
const caFile = join(folder, 'ca.pem');
const authority = createAuthority('nexusos-bench', new Date());
const request = { commonName: 'empty', usages: ['server' as const], hosts: ['127.0.0.1'] };
const { certificate: cert, key } = issue(authority, request, new Date());
await writeFile(caFile, authority.pair.certificate);

const server = createServer({ cert, key }, (incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.once('end', () => {
    const body = Buffer.concat(chunks);
    const uid = UID.exec(body.toString('latin1', 0, 1024))?.[1] ?? '';
    const verdict = body.includes(ANNOTATED) ? '"allowed":true' : REFUSED;
    const answer = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"${uid}",${verdict}}}`;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
});
server.keepAliveTimeout = 95_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  const announcement: Announcement = { url: `https://127.0.0.1:${port}/`, caFile, pid: process.pid };
  process.stdout.write(`${JSON.stringify(announcement)}\n`);
});
process.stdin.resume().once('end', () => {
  void rm(folder, { recursive: true, force: true }).then(() => process.exit());
});
