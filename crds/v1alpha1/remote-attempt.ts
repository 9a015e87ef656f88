// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { remote } from './agent-remote.ts';

/** Variable in which the program that speaks to an endpoint finds what it is to do. */
export const REMOTE_VARIABLE = 'NEXUSOS_REMOTE';

const { auth, tls, retries } = remote.shape;
/** The API server has bounded them. */
const seconds = z.number().positive();

/** What an attempt of a Run of a remote agent is told. Nothing of it is secret: credentials are in files. */
export const remoteAttempt = remote
  .pick({
    url: true,
    cardUrl: true,
    protocolVersions: true,
    insecureHttp: true,
  })
  .extend({
    timeouts: z.object({ connectSeconds: seconds, requestSeconds: seconds }),
    retries: retries.unwrap().extend({ backoffSeconds: seconds, maxBackoffSeconds: seconds }),
    pollSeconds: seconds,
    auth: auth.unwrap().pick({ scheme: true, header: true }).extend({ file: z.string() }).optional(),
    tls: tls.unwrap().pick({ serverName: true }).extend({ caFile: z.string().optional() }).optional(),
    messageId: z.string().min(1).describe('The same however often the message is sent.'),
    contextId: z.string().min(1).describe('The same for Runs of one session.').optional(),
    timeoutSeconds: seconds.describe('How long the attempt may take.'),
    graceSeconds: seconds.describe('How long it may take to end once it is told to.'),
  });

/** What an attempt of a Run of a remote agent is told. */
export type RemoteAttempt = z.output<typeof remoteAttempt>;
